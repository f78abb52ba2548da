package align

// MaxBest bounds the product of rows and columns of Best, whose cost it is.
const MaxBest = 1 << 14

// Best pairs the elements of two sequences, in order, so that the sum of the
// scores of the pairs is greatest. Elements with a score of 0 or less are not
// paired. It returns nil when rows times cols exceeds MaxBest.
//
// Source: Saul B. Needleman and Christian D. Wunsch, A general method applicable
// to the search for similarities in the amino acid sequence of two proteins,
// 1970.
func Best(rows, cols int, score func(i, j int) int) []Pair {
	if rows <= 0 || cols <= 0 || rows > MaxBest/cols {
		return nil
	}
	best := make([][]int, rows+1) // best[i][j]: from elements i and j on
	for i := range best {
		best[i] = make([]int, cols+1)
	}
	for i := rows - 1; i >= 0; i-- {
		for j := cols - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j+1]+max(0, score(i, j)), best[i+1][j], best[i][j+1])
		}
	}
	var out []Pair
	for i, j := 0, 0; i < rows && j < cols; {
		s := score(i, j)
		switch {
		case s > 0 && best[i][j] == best[i+1][j+1]+s:
			out = append(out, Pair{i, j})
			i++
			j++
		case best[i][j] == best[i+1][j]:
			i++
		default:
			j++
		}
	}
	return out
}

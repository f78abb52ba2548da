package render

// pageData is what the page's script knows of a scene. Strings are Visible.
type pageData struct {
	Key     string      `json:"key"`
	Funcs   []string    `json:"funcs"`
	Entries []int       `json:"entries"`
	Files   []string    `json:"files"`
	Blocks  []pageBlock `json:"blocks"`
	Edges   []pageEdge  `json:"edges"`
	Boxes   []Rect      `json:"boxes"`
	Strip   Rect        `json:"strip"`
	Len     int         `json:"len"` // bytes that the strip shows
}

type pageBlock struct {
	Name      string     `json:"name"`
	Func      int        `json:"func"`
	Lines     []pageLine `json:"lines"`
	Details   []pagePart `json:"details,omitempty"`
	Reachable bool       `json:"reachable"`
	Entry     bool       `json:"entry,omitempty"`
	Exit      bool       `json:"exit,omitempty"`
	Header    bool       `json:"header,omitempty"`
	Depth     int        `json:"depth,omitempty"`
	Status    string     `json:"status,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Count     *uint64    `json:"count,omitempty"`
	Pieces    [][2]int   `json:"pieces,omitempty"`
}

type pageLine struct {
	Slot   int    `json:"slot"`
	Text   string `json:"text"`
	Source string `json:"source,omitempty"`
	File   int    `json:"file,omitempty"` // index in Files
	Line   int    `json:"line,omitempty"`
	Note   string `json:"note,omitempty"`
}

type pagePart struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

type pageEdge struct {
	From  int      `json:"from"`
	To    int      `json:"to"`
	Kind  EdgeKind `json:"kind"`
	Label string   `json:"label,omitempty"`
	Dead  bool     `json:"dead,omitempty"`
}

func newPageData(s *Scene, l *Layout, key string) pageData {
	d := pageData{Key: key, Funcs: []string{}, Entries: []int{}, Files: []string{}, Blocks: []pageBlock{},
		Edges: []pageEdge{}, Boxes: l.Blocks}
	if len(d.Boxes) == 0 {
		d.Boxes = make([]Rect, len(s.Blocks))
	}
	for i, f := range s.Funcs {
		d.Funcs = append(d.Funcs, funcName(f, i))
		d.Entries = append(d.Entries, f.Entry)
	}
	files := map[string]int{}
	for i := range s.Blocks {
		pb := newPageBlock(&s.Blocks[i])
		for _, n := range s.Blocks[i].Lines {
			file, ok := files[n.File]
			if !ok {
				file = len(d.Files)
				files[n.File] = file
				d.Files = append(d.Files, Visible(n.File))
			}
			pb.Lines = append(pb.Lines, pageLine{
				Slot: n.Slot, Text: Visible(n.Text), Source: Visible(n.Source), File: file,
				Line: n.LineNo, Note: Visible(n.Note),
			})
		}
		d.Blocks = append(d.Blocks, pb)
	}
	for _, e := range s.Edges {
		d.Edges = append(d.Edges, pageEdge{e.From, e.To, EdgeKind(Visible(string(e.Kind))), Visible(e.Label), e.Dead})
	}
	if l.Strip != nil {
		d.strip(s, l)
	}
	return d
}

// newPageBlock returns a block without its lines.
func newPageBlock(b *Block) pageBlock {
	pb := pageBlock{
		Name: Visible(b.Name), Func: b.Func, Reachable: b.Reachable, Entry: b.Entry, Exit: b.Exit,
		Header: b.LoopHeader, Depth: b.LoopDepth, Status: Visible(b.Status), Reason: Visible(b.Reason),
		Lines: []pageLine{}, Count: b.Count,
	}
	for _, s := range b.Details {
		part := pagePart{Title: Visible(s.Title), Lines: make([]string, len(s.Lines))}
		for i, t := range s.Lines {
			part.Lines[i] = Visible(t)
		}
		pb.Details = append(pb.Details, part)
	}
	return pb
}

// strip adds where the machine code lies.
func (d *pageData) strip(s *Scene, l *Layout) {
	d.Strip, d.Len = l.Strip.Rect, l.Strip.Len
	for i, p := range s.Image.Pieces {
		if p.Kind != PieceBlock {
			continue
		}
		pb := &d.Blocks[p.Block]
		pb.Pieces = append(pb.Pieces, [2]int{p.Offset, p.Len})
		if len(l.Blocks) == 0 && len(pb.Pieces) == 1 {
			d.Boxes[p.Block] = l.Strip.Pieces[i]
		}
	}
}

package pdf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/render/typeface"
)

// font is a font of the page.
type font struct {
	name string
	face *typeface.Font
	used map[int]rune // the first character that uses a glyph
}

// use returns the glyph of a character, which is then in the file.
func (f *font) use(r rune) int {
	g := f.face.Glyph(r).Index
	if _, ok := f.used[g]; !ok {
		f.used[g] = r
	}
	return g
}

// add adds the font's objects and returns its number. Texts name glyphs by their
// numbers in the font (ISO 32000-1, 9.7).
func (f *font) add(out *file, style int) int {
	name := [...]string{"GoMono", "GoMono-Bold", "GoMono-Italic"}[style]
	glyphs := slices.Sorted(maps.Keys(f.used))
	data := subset(f.face.Data(), glyphs)
	// A name of six letters marks a subset; the letters may be any.
	name = "BPFCFG+" + name
	program := out.stream(fmt.Sprintf("/Length1 %d", len(data)), data)
	angle := [...]int{0, 0, -12}[style]
	// Heights of the Go fonts in thousandths of an em, from their tables hhea and
	// OS/2. Flags: fixed pitch, symbolic since glyphs are named by number.
	desc := out.add(fmt.Sprintf("<</Type/FontDescriptor/FontName/%s/Flags 5/FontBBox[-100 -300 700 1000]"+
		"/ItalicAngle %d/Ascent 935/Descent -211/CapHeight 703/StemV 90/FontFile2 %d 0 R>>", name, angle, program))
	cid := out.add(fmt.Sprintf("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)"+
		"/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/W[0 65535 %s]/CIDToGIDMap/Identity>>",
		name, desc, num(1000*typeface.Advance)))
	unicode := out.stream("", f.toUnicode(glyphs))
	return out.add(fmt.Sprintf("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]"+
		"/ToUnicode %d 0 R>>", name, cid, unicode))
}

// toUnicode says which character each glyph stands for, so that text can be
// copied.
func (f *font) toUnicode(glyphs []int) []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n" +
		"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def\n" +
		"/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n" +
		"1 begincodespacerange<0000><FFFF>endcodespacerange\n")
	for part := range slices.Chunk(glyphs, 100) { // the most that one list may have
		fmt.Fprintf(&b, "%d beginbfchar\n", len(part))
		for _, g := range part {
			fmt.Fprintf(&b, "<%04X><%s>\n", g, utf16Hex(string(f.used[g])))
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap CMapName currentdict/CMap defineresource pop end end\n")
	return b.Bytes()
}

// subset returns a TrueType file in which only the glyphs named, their parts and
// the glyph 0 have outlines. Numbers of glyphs stay. The font is one of ours: what
// it holds is right (OpenType, "glyf" and "loca").
func subset(data []byte, glyphs []int) []byte {
	tables := map[string][]byte{}
	for i := range int(binary.BigEndian.Uint16(data[4:])) {
		rec := data[12+16*i:]
		off, n := binary.BigEndian.Uint32(rec[8:]), binary.BigEndian.Uint32(rec[12:])
		tables[string(rec[:4])] = data[off : off+n]
	}
	long := binary.BigEndian.Uint16(tables["head"][50:]) == 1
	at := func(g int) int {
		if long {
			return int(binary.BigEndian.Uint32(tables["loca"][4*g:]))
		}
		return 2 * int(binary.BigEndian.Uint16(tables["loca"][2*g:]))
	}
	glyph := func(g int) []byte { return tables["glyf"][at(g):at(g+1)] }
	keep := map[int]bool{0: true}
	for todo := slices.Clone(glyphs); len(todo) > 0; {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !keep[g] {
			keep[g] = true
			todo = append(todo, parts(glyph(g))...)
		}
	}
	var glyf, loca []byte
	count := int(binary.BigEndian.Uint16(tables["maxp"][4:]))
	for g := range count + 1 {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		if g < count && keep[g] {
			glyf = append(glyf, glyph(g)...)
			glyf = append(glyf, make([]byte, -len(glyf)&3)...)
		}
	}
	head := slices.Clone(tables["head"])
	binary.BigEndian.PutUint16(head[50:], 1)
	tables["head"], tables["glyf"], tables["loca"] = head, glyf, loca
	return sfntFile(tables, []string{"cvt ", "fpgm", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "prep"})
}

// parts returns the glyphs that a composite glyph is made of.
func parts(g []byte) []int {
	if len(g) < 10 || int16(binary.BigEndian.Uint16(g)) >= 0 {
		return nil
	}
	var out []int
	for g = g[10:]; ; {
		flags := binary.BigEndian.Uint16(g)
		out = append(out, int(binary.BigEndian.Uint16(g[2:])))
		n := 6
		if flags&1 != 0 { // words
			n = 8
		}
		switch {
		case flags&8 != 0: // a scale
			n += 2
		case flags&0x40 != 0: // two
			n += 4
		case flags&0x80 != 0: // a matrix
			n += 8
		}
		g = g[n:]
		if flags&0x20 == 0 { // no more
			return out
		}
	}
}

// sfntFile joins tables to a TrueType file.
func sfntFile(tables map[string][]byte, names []string) []byte {
	names = slices.DeleteFunc(names, func(n string) bool { return tables[n] == nil })
	n := len(names)
	power := 1
	for power*2 <= n {
		power *= 2
	}
	log := 0
	for 1<<(log+1) <= n {
		log++
	}
	out := []byte{0, 1, 0, 0}
	for _, v := range []int{n, 16 * power, log, 16 * (n - power)} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	off := 12 + 16*n
	var body []byte
	for _, name := range names {
		t := tables[name]
		out = append(out, name...)
		out = binary.BigEndian.AppendUint32(out, checksum(t))
		out = binary.BigEndian.AppendUint32(out, uint32(off+len(body)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t)))
		body = append(body, t...)
		body = append(body, make([]byte, -len(body)&3)...)
	}
	return append(out, body...)
}

func checksum(t []byte) uint32 {
	var sum uint32
	for len(t) >= 4 {
		sum += binary.BigEndian.Uint32(t)
		t = t[4:]
	}
	var last [4]byte
	copy(last[:], t)
	return sum + binary.BigEndian.Uint32(last[:])
}

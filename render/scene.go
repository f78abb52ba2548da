package render

// Scene describes what to draw: the control flow graph of one program and,
// when Image is set, the machine code made from it. It is plain data, so that
// nothing here depends on the analyses that fill it. Blocks, functions, edges
// and tables are named by their index in the slices below. All strings may
// come from a hostile file: writers escape them.
type Scene struct {
	Title    string // program name
	Subtitle string // one line on where it comes from: file, section, sizes
	Profile  string // title of the JIT profile, empty without Image

	Funcs  []Func  // subprograms; the first is the entry function
	Blocks []Block // in slot order
	Edges  []Edge
	Tables []Table
	Image  *Image // nil: there is no layout half

	// Counted names the counts of the blocks, "visits in run.log"; empty without counts.
	Counted string

	// Checked names what was compared without a difference, "control flow of the machine code";
	// empty if nothing was compared or a difference was found.
	Checked string
	// Refused says why the kernel refuses the program, empty if no reason is known. A refused
	// program is never called verified.
	Refused string
	// Unsure lists what keeps Checked from being a proof, "2 instructions not
	// predicted".
	Unsure []string

	Notes      []string // remarks below the picture
	Mismatches []string // what a comparison found different; drawn as a warning

	// Aside is more information about the program, which pages show beside it.
	Aside []Section

	// Code is the machine code of the instructions in Blocks, in the order of the machine code. It
	// may be left out.
	Code []Code

	// Findings are the results of a checker, the worst first. Pages show them.
	Findings []Finding

	// Facts may be nil. Only pages of HTML show them.
	Facts Facts

	// Groups are blocks that FoldGroups makes one box each, without common blocks.
	Groups []Group

	// Before is the machine code of an older version of the program, whose
	// pieces name the same Blocks. It is drawn left of Image, and says nothing of
	// jumps and tables. Without Image it is not drawn.
	Before *Image
}

// The values of Mark fields. A word that is none of these is drawn all the same.
const (
	MarkAdded    = "added"    // the newer version alone has it
	MarkRemoved  = "removed"  // the older version alone has it
	MarkChanged  = "changed"  // it does something else
	MarkMoved    = "moved"    // it does the same at another place
	MarkMismatch = "mismatch" // machine code and bytecode, or prediction and kernel, disagree
	MarkWay      = "way"      // on a path that was asked for
	MarkAlways   = "always"   // on every way there, or the place itself
	MarkCycle    = "cycle"    // on a cycle from there back
)

// Func is a subprogram.
type Func struct {
	Name  string
	Entry int    // block that it starts with
	Note  string // short remark beside the name ("global", "never called"), may be empty
}

// Block is a basic block.
type Block struct {
	Func  int    // function that it belongs to
	Name  string // how listings call it: "b3"
	Lines []Line // its instructions in order

	Reachable  bool // some execution may reach it
	Configured bool // not reachable, but with other values of the program's configuration it may be
	Maybe      bool // reachable according to the analysis, but the kernel may know better
	LoopDepth  int  // number of loops that contain it
	LoopHeader bool // a back edge leads to it
	Entry      bool // first block of its function
	Exit       bool // ends with exit
	Landing    bool // a landing pad: control continues here after a callee throws an exception

	// Status says of an indirect jump or call at the end how well its targets
	// are known: "exact", "over-approximate", "unresolved"; else empty.
	Status string
	// Reason is a sentence about Status, or why the block is unreachable.
	Reason string

	// Count is how often the block was visited, if it was counted: in runs, or in walks of a
	// verifier. It is drawn after the name and as a tint.
	Count *uint64
	// CountBefore is the count in an older version of the program.
	CountBefore *uint64
	// Folded is set when the block stands for several, see Fold; Lines are then
	// the first and the last of all.
	Folded *Folded
	// Mark is a word that is drawn in the head, with a colour and a row in the
	// legend, empty for none; Why is a sentence on it.
	Mark string
	Why  string
	// Details is more information. Only pages of HTML show it.
	Details []Section
}

// given says that a block is not reached with the values of its program's configuration alone.
func (b *Block) given() string {
	if !b.Configured {
		return ""
	}
	return " with these values"
}

// Finding is something that a program's author should know.
type Finding struct {
	Block   int    // or Outside, of what is about the whole program
	Slot    int    // -1 without
	Level   string // "error", "warning", "note"
	ID      string // its kind: "dead-branch"
	Message string
	Fix     string // what to do about it; may be empty
}

// Fact is what is known of a register or stack slot: "R1", and its value; nothing if
// that is empty. Both are numbers of Facts.Text.
type Fact struct{ Place, Text int }

// Facts holds what is known at the start of blocks.
type Facts interface {
	// Changes returns, for each separate state at the start of a block, the differences from its
	// base: the state of the same number of the last block returned that has states, or the
	// previous state if that block has fewer. The first state after Reset is complete. The result
	// is valid until the next call.
	Changes(block int) [][]Fact
	Reset()
	// Text returns the text of a number, from 0 on. That of 0 is empty.
	Text(number int) string
}

// Section is a titled list of lines.
type Section struct {
	Title string
	Lines []string
}

// Line is an instruction in a block.
type Line struct {
	Slot int    // slot index of the instruction
	Text string // instruction text: "if w1 > 14 goto +3"
	// Source is the C line that the instruction was made from, drawn above the
	// first of several instructions that share it. Empty when unknown.
	Source string
	File   string // file of Source
	LineNo int    // line of Source in File, from 1
	Note   string // short mark after the text: "unpredicted", "deleted"
	Mark   string // MarkAdded, MarkRemoved or empty: drawn as a sign and a tint
}

// Code is an instruction as the kernel's verifier leaves it, with its machine code;
// or machine code that comes from no instruction, as that of a prologue.
type Code struct {
	Block    int       // or Outside
	Slot     int       // of the rewritten program, -1 without an instruction
	Original int       // slot that it comes from, -1 when the verifier added it
	State    CodeState //
	Text     string    // the instruction, empty when it is that of Original
	X86      []X86     // by Offset
}

// CodeState says how an instruction comes from the original one.
type CodeState uint8

// The states of code.
const (
	CodeSame     CodeState = iota
	CodeChanged            // in place of the original
	CodeInserted           // added by the verifier
	CodeUnknown            // the kernel has something there that is not predicted
)

// X86 is an instruction of the machine code.
type X86 struct {
	Offset int // in the Image
	Text   string
}

// EdgeKind says why control may pass along an edge. The values are the words
// of the JSON output.
type EdgeKind string

// The kinds of edge.
const (
	FallThrough EdgeKind = "fall-through"
	Taken       EdgeKind = "taken"
	Goto        EdgeKind = "goto"
	Indirect    EdgeKind = "indirect"
	Call        EdgeKind = "call"
	Return      EdgeKind = "return"
	Callback    EdgeKind = "callback"
	TailCall    EdgeKind = "tail-call"
	Exception   EdgeKind = "exception"
	Unwind      EdgeKind = "unwind"  // with an exception, to a landing pad
	Compared    EdgeKind = "compare" // out of a box that stands for the compares of a switch
)

// chooses reports whether edges of the kind are the cases of a switch: they share a trunk, and have
// the values at their heads.
func (k EdgeKind) chooses() bool { return k == Indirect || k == Compared }

// Outside is the To of an edge that leads to no block of the scene: targets
// that are not known, tail calls.
const Outside = -1

// Edge leads from the end of one block to the start of another. Parallel
// edges and self edges are allowed.
type Edge struct {
	From  int      // block
	To    int      // block, or Outside
	Kind  EdgeKind //
	Label string   // condition, case values of an indirect jump ("0, 3-5"), name of an outside target
	Dead  bool     // proved never taken
	Maybe bool     // may be taken, without a proof that it is
	Mark  string   // MarkAdded, MarkRemoved or empty
	Count *uint64  // how often control passed along it, if it was counted
	Back  bool     // the target dominates the source
}

// Table is an array of code addresses that indirect jumps read.
type Table struct {
	Name    string
	Kind    string // "jump-table", "call-table"
	Jumps   []int  // blocks whose last instruction selects from it
	Range   string // index range in words: "0..14 of 15", empty when unknown
	Bias    *int   // what to add to an index to get the C value of its case; nil if not known
	Entries []TableEntry
}

// TableEntry is an element of a Table.
type TableEntry struct {
	Block    int    // target, or Outside
	Slot     int    // slot that it leads to
	Xlated   int    // the same after the verifier's rewrites, -1 when unknown or removed
	Offset   int    // target's byte offset in the image, -1 when there is none
	Selected bool   // some index that the program computes selects it
	Deleted  bool   // the verifier removed the target instruction
	Note     string // short mark after the target: "was b7"
}

// Image is the machine code: bytes from 0 to Len. Offsets count from its
// first byte, over all functions.
type Image struct {
	Len    int
	Funcs  []ImageFunc // by Offset, without overlap
	Pieces []Piece     // by Offset, without overlap
	Jumps  []Jump
	Endbr  []int      // offsets of ENDBR64 instructions
	Marks  []ByteMark // by Offset
}

// ByteMark marks bytes of an Image. Marks may overlap.
type ByteMark struct {
	Kind   ByteMarkKind
	Offset int
	Len    int
	Text   string // explanation, may be empty
}

// ByteMarkKind says why bytes are marked.
type ByteMarkKind string

// The kinds of byte marks.
const (
	BytesEpilogue ByteMarkKind = "epilogue" // shared exit code of a function
	BytesPadding  ByteMarkKind = "padding"  // nops after a prologue: padding, places to patch
	BytesMismatch ByteMarkKind = "mismatch" // bytes that a comparison objects to
)

// ImageFunc is a function in an Image.
type ImageFunc struct {
	Name     string
	Func     int // index in Scene.Funcs, -1 for one the kernel added
	Offset   int
	Len      int
	Prologue int // bytes before the first block's code
}

// PieceKind says what the bytes of a Piece are.
type PieceKind string

// The kinds of piece.
const (
	PieceBlock    PieceKind = "block"
	PiecePrologue PieceKind = "prologue"
	PieceEpilogue PieceKind = "epilogue"
	PiecePadding  PieceKind = "padding"
	PieceOther    PieceKind = "other"
)

// Piece is a run of bytes of an Image. A block may have several.
type Piece struct {
	Kind   PieceKind
	Block  int // for PieceBlock; else -1
	Offset int
	Len    int // 0 for a block without code
}

// Jump is a jump or call inside an Image.
type Jump struct {
	From int      // offset of the jump instruction
	To   int      // offset that it leads to
	Kind EdgeKind //
	Edge int      // index in Scene.Edges, -1 when none
}

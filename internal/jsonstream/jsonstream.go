// Package jsonstream writes JSON without holding the document: it writes the output of
// encoding/json for the same value, indented by one blank, piece by piece. An array may be a
// Series, whose elements are made while they are written.
//
//	err := jsonstream.Write(os.Stdout, struct {
//		Blocks jsonstream.Series `json:"blocks"`
//	}{func(yield func(any) bool) { … }})
//
// Characters that do not print as themselves are escaped, see visible.JSON.
package jsonstream

import (
	"bufio"
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Series is an array whose elements are made one by one.
type Series func(yield func(any) bool)

// Write writes v and a line break.
func Write(w io.Writer, v any) error {
	s := &stream{w: bufio.NewWriterSize(w, 1<<16)}
	s.value(reflect.ValueOf(v))
	s.raw("\n")
	if err := s.w.Flush(); s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return fmt.Errorf("write JSON: %w", s.err)
	}
	return nil
}

// stream is a document that is being written.
type stream struct {
	w     *bufio.Writer
	depth int
	err   error
}

func (s *stream) raw(text string) {
	if s.err == nil {
		_, s.err = s.w.WriteString(text)
	}
}

// line begins a line.
func (s *stream) line() {
	s.raw("\n")
	for range s.depth {
		s.raw(" ")
	}
}

// list writes the contents of two brackets: each calls item before each element.
func (s *stream) list(open, end string, each func(item func())) {
	s.raw(open)
	s.depth++
	n := 0
	each(func() {
		if n++; n > 1 {
			s.raw(",")
		}
		s.line()
	})
	s.depth--
	if n > 0 {
		s.line()
	}
	s.raw(end)
}

var (
	seriesType = reflect.TypeFor[Series]()
	jsonType   = reflect.TypeFor[json.Marshaler]()
	textType   = reflect.TypeFor[encoding.TextMarshaler]()
)

// value writes any value.
func (s *stream) value(v reflect.Value) {
	if s.err != nil {
		return
	}
	if !v.IsValid() {
		s.raw("null")
		return
	}
	t := v.Type()
	switch k := v.Kind(); {
	case t == seriesType:
		s.series(v)
	case t.Implements(jsonType), t.Implements(textType):
		s.other(v)
	case k == reflect.Pointer, k == reflect.Interface:
		s.value(v.Elem())
	case k == reflect.Struct:
		s.object(v)
	case k == reflect.Slice && v.IsNil():
		s.raw("null")
	case k == reflect.Slice && t.Elem().Kind() != reflect.Uint8, k == reflect.Array:
		s.list("[", "]", func(item func()) {
			for i := range v.Len() {
				item()
				s.value(v.Index(i))
			}
		})
	case k == reflect.String:
		s.text(v)
	case k == reflect.Bool:
		s.raw(strconv.FormatBool(v.Bool()))
	case v.CanInt():
		s.raw(strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		s.raw(strconv.FormatUint(v.Uint(), 10))
	default:
		s.other(v)
	}
}

// series writes a Series.
func (s *stream) series(v reflect.Value) {
	if v.IsNil() {
		s.raw("null")
		return
	}
	each, _ := v.Interface().(Series)
	s.list("[", "]", func(item func()) {
		for x := range each {
			item()
			if s.value(reflect.ValueOf(x)); s.err != nil {
				return
			}
		}
	})
}

// object writes a structure.
func (s *stream) object(v reflect.Value) {
	s.list("{", "}", func(item func()) {
		for _, f := range fieldsOf(v.Type()) {
			x, err := v.FieldByIndexErr(f.index)
			if err != nil || f.omitEmpty && empty(x) { // it is in an embedded structure that is not there
				continue
			}
			item()
			s.raw(f.name)
			s.value(x)
		}
	})
}

// text writes a string.
func (s *stream) text(v reflect.Value) {
	t := v.String()
	for i := range len(t) {
		if c := t[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			s.other(v)
			return
		}
	}
	s.raw(`"`)
	s.raw(t)
	s.raw(`"`)
}

// other writes a value as encoding/json does.
func (s *stream) other(v reflect.Value) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(strings.Repeat(" ", s.depth), " ")
	if err := enc.Encode(v.Interface()); err != nil {
		s.err = err
		return
	}
	_, s.err = s.w.Write(visible.JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

// empty reports whether encoding/json leaves a value out that is marked omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// field is a member of a structure.
type field struct {
	index     []int
	name      string // as it is written: "name": with a blank
	omitEmpty bool
}

// indirect returns the type that a pointer type points to.
func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// known holds the fields of types that were written.
var known sync.Map

// fieldsOf returns the fields of a type, those of embedded structures among them.
func fieldsOf(t reflect.Type) []field {
	if f, ok := known.Load(t); ok {
		list, _ := f.([]field)
		return list
	}
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, has := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !has && indirect(f.Type).Kind() == reflect.Struct:
			for _, g := range fieldsOf(indirect(f.Type)) {
				out = append(out, field{append([]int{i}, g.index...), g.name, g.omitEmpty})
			}
			continue
		case !f.IsExported(), tag == "-":
			continue
		case name == "":
			name = f.Name
		}
		out = append(out, field{[]int{i}, strconv.Quote(name) + ": ", strings.Contains(options, "omitempty")})
	}
	known.Store(t, out)
	return out
}

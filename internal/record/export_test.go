package record

import "io"

// File is a record file read whole.
type File struct {
	Kind     FileKind
	Env      *Env      // the first machine of a file of records
	Records  []*Record // without env records
	Vectors  *Vectors
	Programs *Programs
}

// Read reads a file of any kind whole, logs included. Use a Reader to hold one
// record at a time.
func Read(in io.Reader) (*File, error) {
	r, err := NewReader(in, Options{})
	if err != nil {
		return nil, err
	}
	f := &File{Kind: r.kind}
	switch r.kind {
	case FileVectors:
		f.Vectors, err = r.Vectors()
	case FilePrograms:
		f.Programs, err = r.Programs()
	default:
		err = f.readAll(r)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) readAll(r *Reader) error {
	for rec, err := range r.Records() {
		switch {
		case err != nil:
			return err
		case rec.Kind != KindEnv:
			f.Records = append(f.Records, rec)
		case f.Env == nil:
			f.Env = rec.Env
		}
	}
	return nil
}

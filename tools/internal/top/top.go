// Package top takes a developer's tool to the top directory of the repository.
//
//	go -C tools run ./gallery
//
// starts the tool in tools/, the directory of its module. Paths that the tools read and write, and
// those on their command lines, are relative to the directory above. Enter goes there:
//
//	if err := top.Enter(); err != nil { … }
//
// It does not look for a repository elsewhere than in the directories above.
package top

import (
	"errors"
	"os"
	"path/filepath"
)

// Enter makes the repository's top the working directory: the nearest directory,
// from the present one upwards, that holds the command's package. It is an error
// when there is none.
func Enter() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		if info, err := os.Stat(filepath.Join(dir, "cmd", "bpfcfg")); err == nil && info.IsDir() {
			return os.Chdir(dir)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return errors.New("no directory above contains cmd/bpfcfg: run the tool in the repository")
		}
		dir = above
	}
}

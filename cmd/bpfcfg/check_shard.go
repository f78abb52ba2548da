package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// content is the hash of an input's file.
type content struct {
	sum [sha256.Size]byte
	err error
}

// prepareShards hashes the files of all inputs, so that all machines agree on the shard of each
// without communicating, and merge can check that all had the same files.
func (c *checkRun) prepareShards() {
	if c.shards == 1 {
		return
	}
	c.contents = make([]content, len(c.inputs.Files))
	for i, f := range c.inputs.Files {
		c.contents[i].sum, c.contents[i].err = hashFile(f.Name)
	}
}

// shardOf describes the shard for the report.
func (c *checkRun) shardOf() report.Shard {
	s := report.Shard{Part: c.shard, Parts: c.shards}
	if c.shards == 1 {
		return s
	}
	h := sha256.New()
	for i, f := range c.inputs.Files {
		fmt.Fprintf(h, "%q %x %v\n", c.std.opener.Root.Name(f.Name), c.contents[i].sum, c.contents[i].err != nil)
	}
	fmt.Fprintf(h, "%q\n", c.inputs.Selector.String())
	s.Files = hex.EncodeToString(h.Sum(nil)[:8])
	return s
}

// inShard reports whether an input is in this shard; that depends only on its content.
func (c *checkRun) inShard(i int) bool {
	n := binary.BigEndian.Uint64(c.contents[i].sum[:]) % uint64(c.shards)
	return int(n)+1 == c.shard
}

// hashFile hashes the file of an input.
func hashFile(name string) (sum [sha256.Size]byte, err error) {
	file, ok := object.File(name)
	if !ok || input.ReadOnce(name) {
		return sum, fmt.Errorf("%s cannot be split with --shard: name files", name)
	}
	f, err := os.Open(file)
	if err != nil {
		return sum, input.Cause(file, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, input.MaxFile+1)); err != nil {
		return sum, input.Cause(file, err)
	}
	h.Sum(sum[:0])
	return sum, nil
}

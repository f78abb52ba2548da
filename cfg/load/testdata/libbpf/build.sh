#!/bin/sh
# Builds the tools here against a build of libbpf 1.8: LIBBPF is its source.
# Then makes linked.o, and libbpf.txt from the objects in the directory above and
# some of the shared ones.
set -e
cd "$(dirname "$0")/.."
tools=${TOOLS:-$(mktemp -d)}
flags="-O1 -I$LIBBPF/src -I$LIBBPF/include/uapi"
cc $flags -o "$tools/link" libbpf/link.c "$LIBBPF/src/libbpf.a" -lelf -lz
cc $flags -o "$tools/submit" libbpf/submit.c "$LIBBPF/src/libbpf.a" -lelf -lz -Wl,--wrap=syscall
"$tools/link" linked.o part_a.o part_b.o
shared=../../../testdata
"$tools/submit" $(ls *.o | grep -v -e pending.o -e flavour.o -e unwind -e extension.o) $shared/corpus/bad/*.o $shared/seed-callx/*.o $shared/corpus/out/24_rodata_table.o \
	$shared/corpus/out/27_asm_corners.o > libbpf.txt

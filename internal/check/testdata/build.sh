#!/bin/sh
# Compiles the sources here; the objects are committed. Made with clang 22.
set -e
cd "$(dirname "$0")"
for c in *.c; do
	"${CLANG:-clang-22}" --target=bpfel -g -O2 -mcpu=v4 -Wall -fdebug-compilation-dir=. -c "$c" -o "${c%.c}.o"
done

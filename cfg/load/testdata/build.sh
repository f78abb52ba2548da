#!/bin/sh
# Compiles the sources here: see README.
set -e
cd "$(dirname "$0")"
clang=${CLANG:-clang-22}
flags="-g -O2 -mcpu=v4 -Wall -Wno-unused-function -fdebug-compilation-dir=. -no-canonical-prefixes"
for c in *.c; do
	"$clang" --target=bpfel $flags -c "$c" -o "${c%.c}.o"
done
for c in order data kernel elsewhere; do
	"$clang" --target=bpfeb $flags -c "$c.c" -o "$c.be.o"
done
"$clang" --target=bpfel -O2 -mcpu=v4 -c order.c -o order.nobtf.o
"${CLANG23:-clang-23}" --target=bpfel $flags -fexceptions -c unwind.c -o unwind.o
"${CLANG24:-clang-24}" --target=bpfel $flags -fexceptions -funwind-tables -c unwind.c -o unwind24.o
"$clang" --target=bpfel -c untyped.s -o untyped.o
"$clang" --target=bpfel -c keys.s -o keys.o

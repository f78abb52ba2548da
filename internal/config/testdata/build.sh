#!/bin/sh
# Makes the objects: needs clang 22 or newer.
cd "$(dirname "$0")" || exit 1
exec "${CLANG:-clang-22}" -target bpf -mcpu=v4 -O2 -g -fdebug-compilation-dir=. -c settings.c -o settings.o

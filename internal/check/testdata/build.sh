#!/bin/sh
# Compiles the sources here; the objects are committed. Made with clang 22.
set -e
cd "$(dirname "$0")"
cc="${CLANG:-clang-22} --target=bpfel -g -O2 -mcpu=v4 -Wall -fdebug-compilation-dir=."
$cc -c features.c -o features.o
$cc -c route.c -o route.o
$cc -DLATER -c route.c -o route.later.o
$cc -c config.c -o config.o

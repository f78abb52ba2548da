#!/bin/sh
# Builds the object of a source directory: build.sh src build
# The objects are committed, made by Debian clang 22; -fdebug-prefix-map keeps
# the directory out of them.
set -eu
in=$1 out=$2
clang-22 -target bpf -O2 -g -mcpu=v4 -mllvm -bpf-min-jump-table-entries=4 \
	-fdebug-prefix-map="$PWD"=. -c "$in/filter.c" -o "$out/filter.o"

#!/bin/sh
# What a CI job runs: pipeline.sh [BUILD]. It fails when a program has a finding
# that the policy in .bpfcfg.yaml calls an error, or when its block layout is not
# the one in golden/. Both are told; the first status other than 0 is the script's.
#
# To accept a new layout: bpfcfg golden update build --dir golden --root build, look at what it
# prints, commit the files.
#
# Objects are named relative to the build directory, wherever it is.
set -u
build=${1:-build}

bpfcfg check "$build" --root "$build"
status=$?
bpfcfg golden check "$build" --dir golden --root "$build"
golden=$?
[ "$status" -ne 0 ] || status=$golden
exit "$status"

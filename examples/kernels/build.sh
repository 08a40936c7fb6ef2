#!/bin/bash
# Rebuilds the sample kernel's BTF from its source, byte for byte the same for the same clang.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

clang -target bpfel -g -O2 -Wall -Werror -fdebug-compilation-dir=. -c sample.c -o "$work/sample.o"
llvm-objcopy --dump-section .BTF=sample.btf "$work/sample.o" "$work/discarded.o"

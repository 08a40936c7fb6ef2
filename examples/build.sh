#!/bin/bash
# Rebuilds the examples, byte for byte the same for the same clang. No machine path ends up in the objects.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for source in *.bpf.c; do
  object=${source%.c}.o
  clang -target bpfel -g -O2 -Wall -Werror -fdebug-compilation-dir=. -idirafter "/usr/include/$(uname -m)-linux-gnu" \
    -c "$source" -o "$object"
  llvm-strip -g "$object"
done

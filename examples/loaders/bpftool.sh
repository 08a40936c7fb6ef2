#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
#
# Loads a relocated object with bpftool and pins its programs below a folder of a bpf file system:
#
#     bpftool.sh exec.relocated.bpf.o /sys/fs/bpf/exec
set -eu
if [ $# -ne 2 ]; then
  echo "usage: $0 OBJECT PINS" >&2
  exit 2
fi
bpftool prog loadall "$1" "$2"
for program in "$2"/*; do
  bpftool prog show pinned "$program"
done

#!/bin/bash
# Boots a kernel of the lab in software emulation, runs a script in it, and exits with that script's status.
#
#     boot.sh [--kernel-btf] [--timeout SECONDS] KERNEL TEST_SCRIPT [SOURCE:GUEST_PATH ...]
#
# KERNEL is 6.1, 6.12 or a release below the lab's kernels directory. TEST_SCRIPT becomes /test.sh; the other files are put
# where told (programs must be static, or bring their libraries). /sys/kernel/btf is hidden unless --kernel-btf is given.
# The console goes to standard output. Status 124: timed out; 125: the guest died before the script ended.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${CORELO_LAB_DIR:-$(cd "$here/../.." && pwd)/.lab}
timeout=120
append='console=ttyS0 quiet panic=-1 nokaslr mitigations=off audit=0 apparmor=0'

while [ $# -gt 0 ]; do
  case $1 in
    --kernel-btf) append+=' corelo.kernel_btf=1'; shift ;;
    --timeout) timeout=$2; shift 2 ;;
    *) break ;;
  esac
done
if [ $# -lt 2 ]; then echo 'usage: boot.sh [--kernel-btf] [--timeout SECONDS] KERNEL TEST_SCRIPT [SOURCE:GUEST_PATH ...]' >&2; exit 2; fi
kernel=$1 script=$2
shift 2
image=$LAB/kernels/$kernel/vmlinux
if [ ! -e "$image" ]; then echo "boot: no kernel $kernel; run prepare.sh" >&2; exit 2; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/initramfs.sh" "$work/initramfs.cpio" "$script:/test.sh" "$@"

status=0
timeout --foreground "$timeout" qemu-system-x86_64 \
  -accel tcg -cpu max -m 512 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
  -kernel "$image" -initrd "$work/initramfs.cpio" -append "$append" < /dev/null 2>&1 |
  tr -d '\r' | tee "$work/console" || status=${PIPESTATUS[0]}
if [ "$status" = 124 ]; then echo "boot: timed out after $timeout s" >&2; exit 124; fi
code=$(sed -n 's/.*CORELO-EXIT \([0-9]*\)$/\1/p' "$work/console" | tail -n 1)
if [ -z "$code" ]; then echo 'boot: the guest ended without a status' >&2; exit 125; fi
exit "$code"

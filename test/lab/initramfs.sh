#!/bin/bash
# Packs the guest's whole user space into one initramfs: busybox, bpftool with its libraries, an init, and what the caller adds.
#
#     initramfs.sh OUT.cpio [SOURCE:GUEST_PATH ...]
#
# The caller's files normally include a script that becomes /test.sh; init runs it and prints its exit status as the last line.
# Uncompressed unless OUT ends in .gz: the kernel would have to unpack it in software emulation, which costs more than copying.
set -euo pipefail

out=${1:?usage: initramfs.sh OUT.cpio [SOURCE:GUEST_PATH ...]}
shift
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,dev,proc,sys,tmp,etc,root}

busybox=$(command -v busybox)
cp "$busybox" "$tree/bin/busybox"
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done

# Copies a program and the shared libraries that ldd names for it, at the same paths.
add_program() {
  local library
  cp --dereference "$1" "$tree/bin/$(basename "$1")"
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true); do
    mkdir -p "$tree/$(dirname "$library")"
    cp --dereference "$library" "$tree/$library"
  done
}
rm -f "$tree/bin/bpftool"
add_program "$(command -v bpftool || echo /usr/sbin/bpftool)"

for pair in "$@"; do
  guest=${pair#*:}
  mkdir -p "$tree/$(dirname "$guest")"
  cp --dereference "${pair%%:*}" "$tree/$guest"
done

cat > "$tree/init" <<'INIT'
#!/bin/sh
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
# A kernel without BTF, as far as user space can tell.
if ! grep -q corelo.kernel_btf=1 /proc/cmdline; then mount -t tmpfs hidden /sys/kernel/btf; fi
echo "guest: $(uname -r), kernel BTF $([ -e /sys/kernel/btf/vmlinux ] && echo visible || echo hidden)"
if [ -e /test.sh ]; then sh /test.sh; else true; fi
echo "CORELO-EXIT $?"
poweroff -f
INIT
chmod 755 "$tree/init"
pack() { (cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --owner 0:0); }
case $out in
  *.gz) pack | gzip -1 > "$out" ;;
  *) pack > "$out" ;;
esac

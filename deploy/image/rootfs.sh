#!/bin/sh
# Lays out a root file system that has programs, the shared libraries they are linked with, and nothing else. For Dockerfile.
#
#     rootfs.sh DIR PROGRAM...
#
# Who owned each file is noted in var/lib/dpkg/status.d, where scanners for vulnerabilities look.
set -eu
root=$1
shift

copy() { # FILE: to where it is after all symlinked folders, and to the name it is loaded by
  real=$(readlink -f "$1")
  install -D "$real" "$root$real"
  folder=$(readlink -f "$(dirname "$1")")
  [ "$folder/$(basename "$1")" = "$real" ] || ln -sf "$real" "$root$folder/$(basename "$1")"
  package=$(dpkg-query -S "$real" 2> /dev/null | cut -d : -f 1) || return 0
  [ -z "$package" ] || [ -e "$root/var/lib/dpkg/status.d/$package" ] || dpkg-query -s "$package" > "$root/var/lib/dpkg/status.d/$package"
}

mkdir -p "$root/etc" "$root/usr/lib" "$root/usr/lib64" "$root/var/lib/dpkg/status.d"
install -d -m 1777 "$root/tmp"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
for program in "$@"; do
  copy "$program"
  ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p' | while read -r library; do
    case $library in /lib*) library=/usr$library ;; esac
    copy "$library"
  done
done
cp "$(readlink -f /etc/os-release)" "$root/etc/os-release"
printf 'root:x:0:0:root:/:/sbin/nologin\ncorelo:x:10001:10001:corelo:/app:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\ncorelo:x:10001:\n' > "$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' > "$root/etc/nsswitch.conf"

#!/bin/bash
# Makes the lab: the oracle, real CO-RE objects, kernels to boot and their BTF. Safe to run again; what exists is kept.
#
#     prepare.sh [--install]      --install: first install what packages.txt names (needs root)
#
# CORELO_LAB_DIR   where to put it all (default: .lab in the repository)
# CORELO_SHARED    a directory in BTFHub's layout with kernels of other distributions (default: ../shared/btfhub-archive)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
LAB=${CORELO_LAB_DIR:-$root/.lab}
SHARED=${CORELO_SHARED:-$root/../shared/btfhub-archive}
export PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "lab: $*"; }
have() { say "$1: already there"; }

packages() { sed 's/#.*//' "$here/packages.txt" | xargs; }

check_packages() {
  local missing=() package
  for package in $(packages); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    have packages
  elif [ "${1:-}" = --install ]; then
    say "packages: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null
  else
    say "packages: missing ${missing[*]} (run prepare.sh --install)"
    exit 1
  fi
}

# Rebuilt when the source is newer than the program.
build_program() {
  local name=$1 source=$2
  shift 2
  if [ "$LAB/bin/$name" -nt "$source" ]; then have "bin/$name"; return; fi
  gcc -O2 -Wall -Wextra -o "$work/$name" "$source" "$@"
  mv "$work/$name" "$LAB/bin/$name"
  say "bin/$name: built"
}

extract_objects() {
  if [ -e "$LAB/objects/.complete" ]; then have objects; return; fi
  local file binaries=()
  for file in $(dpkg -L libbpf-tools | grep -E '/s?bin/.'); do
    if [ -f "$file" ] && [ ! -L "$file" ]; then binaries+=("$file"); fi # some tools are links to others
  done
  say "objects: $(node "$here/extract-objects.mjs" "$LAB/objects" "${binaries[@]}")"
  touch "$LAB/objects/.complete"
}

# Objects of other projects, out of packages that are not installed: performance co-pilot, xdp-tools, libxdp and Knot DNS.
OTHERS='pcp xdp-tools libxdp1 libknot13'
extract_others() {
  if [ -e "$LAB/others/.complete" ]; then have others; return; fi
  local package file
  mkdir -p "$LAB/others" "$work/others"
  for package in $OTHERS; do
    if ! (cd "$work/others" && apt-get download -qq "$package") 2> "$work/apt.log"; then cat "$work/apt.log"; exit 1; fi
    dpkg-deb -x "$work/others/$package"_*.deb "$work/others/$package"
    find "$work/others/$package" -type f -size +1k -print0 |
      xargs -0 node "$here/extract-objects.mjs" "$work/others/$package.objects" > /dev/null
    for file in "$work/others/$package.objects"/*.bpf.o; do mv "$file" "$LAB/others/$package.$(basename "$file")"; done
  done
  touch "$LAB/others/.complete"
  say "others: $(find "$LAB/others" -name '*.bpf.o' | wc -l) objects of $OTHERS"
}

running_btf() {
  if [ ! -r /sys/kernel/btf/vmlinux ]; then say 'btf/running.btf: this kernel shows no BTF, left out'; return; fi
  cp /sys/kernel/btf/vmlinux "$work/running.btf"
  if cmp -s "$work/running.btf" "$LAB/btf/running.btf"; then have btf/running.btf; return; fi
  mv "$work/running.btf" "$LAB/btf/running.btf"
  say "btf/running.btf: from $(uname -r)"
}

# Newest package of a kernel series. The plain flavour: not cloud, not rt. The second argument is what to ask apt with.
newest_kernel_package() {
  ${2:-} apt-cache search --names-only "^linux-image-$1\\.[0-9a-z.+~-]*-amd64-unsigned\$" | cut -d ' ' -f 1 |
    grep -vE -- '-(cloud|rt)-amd64' | sort -V | tail -n 1
}

# kernels/<release>/{vmlinuz,vmlinux}, kernels/<series> -> <release>, btf/debian-<series>.btf: all from one package, so that
# the BTF is the booted kernel's own. vmlinux is the unpacked kernel: it boots without decompressing itself in emulation.
# debian_kernel SERIES [APT]: APT is a function that runs apt with other sources; then the kernel is left out where they have none.
debian_kernel() {
  local series=$1 via=${2:-} package release
  if [ -e "$LAB/kernels/$series/vmlinux" ] && [ -e "$LAB/btf/debian-$series.btf" ] && compgen -G "$LAB/packages/$series/*.deb" > /dev/null; then
    have "kernels/$series ($(readlink "$LAB/kernels/$series"))"
    return
  fi
  package=$(newest_kernel_package "$series" "$via")
  if [ -z "$package" ] && [ -n "$via" ]; then say "kernels/$series: the mirror has none, left out"; return; fi
  if [ -z "$package" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    package=$(newest_kernel_package "$series")
  fi
  if [ -z "$package" ]; then say "kernels/$series: apt knows no such kernel"; exit 1; fi
  mkdir -p "$work/$series"
  if ! (cd "$work/$series" && $via apt-get download -qq "$package") 2> "$work/apt.log"; then cat "$work/apt.log"; exit 1; fi
  mkdir -p "$LAB/packages/$series"
  cp "$work/$series"/*.deb "$LAB/packages/$series/"
  dpkg-deb --fsys-tarfile "$work/$series"/*.deb | tar -x -C "$work/$series" --wildcards './boot/vmlinuz-*'
  release=$(basename "$work/$series"/boot/vmlinuz-*)
  release=${release#vmlinuz-}
  mkdir -p "$LAB/kernels/$release"
  mv "$work/$series/boot/vmlinuz-$release" "$LAB/kernels/$release/vmlinuz"
  node "$here/extract-vmlinux.mjs" "$LAB/kernels/$release/vmlinuz" "$LAB/btf/debian-$series.btf" "$LAB/kernels/$release/vmlinux"
  ln -sfn "$release" "$LAB/kernels/$series"
  rm -rf "${work:?}/$series"
  say "kernels/$series: $release"
}

# apt for Debian 11, the oldest release with kernels that have BTF, from the mirrors that this machine's own sources name. Its index has
# expired, and is signed all the same.
oldest_apt() {
  if [ ! -e "$work/oldest/apt.conf" ]; then
    mkdir -p "$work"/oldest/{state/lists/partial,cache/archives/partial}
    {
      echo "Dir::State \"$work/oldest/state\"; Dir::State::status \"/dev/null\"; Dir::Cache \"$work/oldest/cache\";"
      echo "Dir::Etc::SourceList \"$work/oldest/sources.list\"; Dir::Etc::SourceParts \"/dev/null\";"
      echo 'Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; APT::Sandbox::User "root";'
    } > "$work/oldest/apt.conf"
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sort -u |
      sed -n 's|^\([^ ]*\) bookworm|deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \1 bullseye|p' |
      sed 's|$| main|' > "$work/oldest/sources.list"
    APT_CONFIG=$work/oldest/apt.conf apt-get update -qq > /dev/null 2>&1 || true
  fi
  APT_CONFIG=$work/oldest/apt.conf "$@"
}

# apt for architectures other than the machine's, which stays as it is: state, lists and cache are in the work folder.
foreign_apt() {
  if [ ! -e "$work/apt/apt.conf" ]; then
    mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial}
    {
      echo "Dir::State \"$work/apt/state\"; Dir::State::status \"/dev/null\"; Dir::Cache \"$work/apt/cache\";"
      echo 'APT::Architectures { "amd64"; "arm64"; "armhf"; "i386"; "s390x"; }; Acquire::Languages "none"; APT::Sandbox::User "root";'
    } > "$work/apt/apt.conf"
    # Sources that are not Debian's have no such architectures; what is missing is noticed below.
    APT_CONFIG=$work/apt/apt.conf apt-get update -qq > /dev/null 2>&1 || true
  fi
  APT_CONFIG=$work/apt/apt.conf "$@"
}

# packages/<package>.deb: a kernel package to import, the newest whose name fits.
kernel_package() {
  local name=$1 arch=$2 pattern=$3 package
  if compgen -G "$LAB/packages/$name/*.deb" > /dev/null; then have "packages/$name"; return; fi
  package=$(foreign_apt apt-cache search --names-only "$pattern" | cut -d ' ' -f 1 | sort -V | tail -n 1)
  if [ -z "$package" ]; then say "packages/$name: apt knows none for $arch"; exit 1; fi
  mkdir -p "$work/$name"
  if ! (cd "$work/$name" && foreign_apt apt-get download -qq "$package:$arch") 2> "$work/apt.log"; then cat "$work/apt.log"; exit 1; fi
  rm -rf "$LAB/packages/$name"
  mv "$work/$name" "$LAB/packages/$name"
  say "packages/$name: $package ($(du -m "$LAB/packages/$name" | cut -f 1) MB)"
}

# One BTFHub-layout archive (name pattern below SHARED) to btf/<name>.btf.
archived_btf() {
  local name=$1 pattern=$2 archive
  if [ -e "$LAB/btf/$name.btf" ]; then have "btf/$name.btf"; return; fi
  archive=$({ find "$SHARED" -path "*/$pattern" -type f 2>/dev/null || true; } | sort | head -n 1)
  if [ -z "$archive" ]; then say "btf/$name.btf: no $pattern in the shared archive, left out"; return; fi
  tar -xJOf "$archive" > "$work/$name.btf"
  mv "$work/$name.btf" "$LAB/btf/$name.btf"
  say "btf/$name.btf: from $(basename "$archive")"
}

check_packages "${1:-}"
mkdir -p "$LAB"/{bin,objects,btf,kernels,packages}
build_program oracle "$here/oracle.c" -lbpf -lelf -lz -ldl
build_program attach "$here/attach.c" -I "$root/test/fixtures/wrong-layout" -static -lbpf -lelf -lz
build_program verify "$here/verify.c" -static -lbpf -lelf -lz
extract_objects
extract_others
running_btf
debian_kernel 5.10 oldest_apt
debian_kernel 6.1
debian_kernel 6.12
# 6.1 as such is packed with xz and 6.12 with zstd; the cloud flavour is lz4; arm64's image is not packed; the last three have no BTF.
kernel_package cloud amd64 '^linux-image-6\.1\.[0-9a-z.+~-]*-cloud-amd64-unsigned$'
kernel_package rt amd64 '^linux-image-6\.1\.[0-9a-z.+~-]*-rt-amd64-unsigned$'
kernel_package arm64 arm64 '^linux-image-6\.1\.[0-9a-z.+~-]*-cloud-arm64-unsigned$'
kernel_package armhf armhf '^linux-image-6\.1\.[0-9a-z.+~-]*-armmp$'
kernel_package i386 i386 '^linux-image-6\.1\.[0-9a-z.+~-]*-686-unsigned$'
kernel_package s390x s390x '^linux-image-6\.1\.[0-9a-z.+~-]*-s390x$'
archived_btf kylin-4.19.90-24 'kylin/*/4.19.90-24.*.btf.tar.xz'
archived_btf kylin-4.19.90-52 'kylin/*/4.19.90-52.*.btf.tar.xz'
archived_btf bclinux-4.19 'bclinux/*/4.19.*.btf.tar.xz'
archived_btf android-5.10 'android/*/a12-5.10-*.btf.tar.xz'
say "ready: $(find "$LAB/objects" "$LAB/others" -name '*.bpf.o' | wc -l) objects, $(find "$LAB/btf" -name '*.btf' | wc -l) BTFs"

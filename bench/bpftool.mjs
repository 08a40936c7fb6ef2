import { execFileSync } from 'node:child_process'

/**
 * User and system time of `bpftool gen min_core_btf` for an object and one of these files, in a loop over all, by the shell's own clock of
 * its children. In milliseconds; undefined where bpftool is not there.
 */
export function bpftoolMs (object, btfs, output) {
  const script = 'PATH=$PATH:/usr/sbin; object=$1; output=$2; shift 2; ' +
    'for btf in "$@"; do bpftool gen min_core_btf "$btf" "$output" "$object" >/dev/null 2>&1 || exit 1; done; times'
  try {
    const printed = execFileSync('/bin/bash', ['-c', script, 'bench', object, output, ...btfs], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [, children = ''] = printed.toString().trim().split('\n')
    return children.split(' ').reduce((sum, part) => sum + msOf(part), 0) / btfs.length
  } catch {
    return undefined
  }
}

/** Bash writes 1m2.345s. */
function msOf (time) {
  const [minutes, seconds] = time.split('m')
  return 1000 * (60 * Number(minutes) + Number.parseFloat(seconds))
}

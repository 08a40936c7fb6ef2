/**
 * Other spellings of BTFHub's architecture names: those of `uname -m`, of Go and container images, and of bpf2go. One
 * spelling means one architecture everywhere, so that no table by source is needed.
 */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'x86_64'], ['amd64', 'x86_64'], ['x64', 'x86_64'], ['x86-64', 'x86_64'],
  ['arm64', 'arm64'], ['aarch64', 'arm64'], ['armv8l', 'arm64'],
  ['s390x', 's390x'],
  ['ppc64le', 'ppc64le'], ['powerpc64le', 'ppc64le'],
  ['riscv64', 'riscv64'],
  ['arm', 'arm'], ['armhf', 'arm'], ['armv5l', 'arm'], ['armv6l', 'arm'], ['armv7', 'arm'], ['armv7l', 'arm'],
  ['x86', 'x86'], ['i386', 'x86'], ['i486', 'x86'], ['i586', 'x86'], ['i686', 'x86'], ['386', 'x86']
])

/** BTFHub's name of an architecture. A name that is not known stays as it is: a private archive may have others. */
export function normalizeArch (name: string): string { return SPELLINGS.get(name.toLowerCase()) ?? name }

/**
 * Other spellings of BTFHub's architecture names: those of `uname -m`, of Go and container images, of bpf2go, and of Debian's
 * and RPM's packages. One spelling means one architecture everywhere, so that no table by source is needed. `armv8l` is what
 * `uname -m` says to a 32-bit process on a 64-bit kernel.
 */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'x86_64'], ['amd64', 'x86_64'], ['x64', 'x86_64'], ['x86-64', 'x86_64'], ['x86_64_v2', 'x86_64'], ['x86_64_v3', 'x86_64'],
  ['arm64', 'arm64'], ['aarch64', 'arm64'], ['arm64v8', 'arm64'], ['armv8l', 'arm64'],
  ['s390x', 's390x'],
  ['ppc64le', 'ppc64le'], ['powerpc64le', 'ppc64le'], ['ppc64el', 'ppc64le'],
  ['riscv64', 'riscv64'],
  ['loongarch64', 'loongarch64'], ['loong64', 'loongarch64'],
  ['arm', 'arm'], ['armel', 'arm'], ['armhf', 'arm'], ['armv5tel', 'arm'], ['armv5l', 'arm'], ['armv6l', 'arm'], ['armv6hl', 'arm'],
  ['armv7', 'arm'], ['armv7l', 'arm'], ['armv7hl', 'arm'], ['armv7hnl', 'arm'], ['arm32v7', 'arm'],
  ['x86', 'x86'], ['i386', 'x86'], ['i486', 'x86'], ['i586', 'x86'], ['i686', 'x86'], ['386', 'x86']
])

/** BTFHub's name of an architecture. A name that is not known stays as it is: a private archive may have others. */
export function normalizeArch (name: string): string { return SPELLINGS.get(name.toLowerCase()) ?? name }

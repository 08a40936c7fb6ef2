import { parseRelease } from './age.js'

/**
 * What is assumed of LINUX_KERNEL_VERSION on a kernel, as reports write it; without the third number where a release does not tell it, as
 * those of Debian and Ubuntu, which write 0 in its place. Undefined where the release does not tell the version.
 */
export function versionText (release: string): string | undefined {
  const version = parseRelease(release)
  return version === undefined ? undefined : `LINUX_KERNEL_VERSION = ${[...version, ...patchOf(release)].join('.')}`
}

/** The third number of a version, or none where the release does not tell it. */
export function patchOf (release: string): [] | [string] {
  const patch = /^\d+\.\d+\.(\d{1,3})/.exec(release)?.[1]
  return patch === undefined || /^\d+\.\d+\.0-/.test(release) ? [] : [patch]
}

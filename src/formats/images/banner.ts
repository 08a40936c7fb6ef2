import { isSegment } from '../../identity/reference.js'

const START = Buffer.from('Linux version ')
/** Longer than any: release, builder, compiler and version have a few hundred characters together. */
const MAX_BANNER_BYTES = 2048
/** A kernel that holds another one's banner many times is none. */
const MAX_BANNERS = 64

export interface Banner {
  readonly release: string
  readonly kernelVersion: string
}

/**
 * The banner that a kernel prints first when it starts, and shows in /proc/version:
 *
 *     Linux version 6.1.0-50-amd64 (builder) (compiler) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)
 *
 * Since 6.1 images hold a second one, whose `#` has no number, for the linker to fill in.
 *
 * @returns undefined where there is none, or where two disagree
 */
export function findBanner (image: Uint8Array): Banner | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  let found: Banner | undefined
  let at = bytes.indexOf(START)
  for (let i = 0; at >= 0 && i < MAX_BANNERS; i++, at = bytes.indexOf(START, at + START.length)) {
    const banner = parseBanner(bytes.toString('latin1', at, at + MAX_BANNER_BYTES))
    if (banner === undefined) continue
    if (found !== undefined && (found.release !== banner.release || found.kernelVersion !== banner.kernelVersion)) return undefined
    found = banner
  }
  return found
}

function parseBanner (text: string): Banner | undefined {
  const [, release, kernelVersion] = /^Linux version (\S+) \([^\n\0]*\) (#\d+[^\n\0]*)\n?\0/.exec(text) ?? []
  if (release === undefined || kernelVersion === undefined || !isSegment(release)) return undefined
  return { release, kernelVersion: kernelVersion.trim() }
}

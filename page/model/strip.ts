import type { HistoryRange } from '../../src/wire/types.js'
import { counted } from './format.js'
import { groupBy } from './group-by.js'
import { compareKernels } from './groups.js'

/** The kernels of one distribution, version, architecture and flavour, from the oldest release. */
export interface StripRow {
  readonly platform: string
  readonly ranges: readonly StripRange[]
  readonly kernels: number
  /** Whether the kernel that is looked at is among them. */
  readonly isHere: boolean
}

export interface StripRange extends HistoryRange {
  /** What is shown: `+16`, `+16:3` for a bitfield, `missing`. */
  readonly label: string
  /** Where it was found by another name than the one that was asked for. */
  readonly path: string | undefined
  /** Ranges with one tone have the member in one place. -1: not there. */
  readonly tone: number
  readonly isHere: boolean
}

/** Tones that can be told apart. */
const TONES = 4

/** @param kernel the reference of the kernel that is looked at, whose row comes first */
export function stripOf (ranges: readonly HistoryRange[], kernel: string): readonly StripRow[] {
  const tones = new Map<string, number>()
  const shown = ranges.map<StripRange>(range => {
    const label = labelOf(range)
    const key = range.places.map(({ path, bit_offset: at, value }) => `${path} ${at} ${value}`).join()
    if (range.state === 'present' && !tones.has(key)) tones.set(key, tones.size % TONES)
    const [place] = range.places
    const path = place === undefined || place.found === 'named' ? undefined : place.path
    return { ...range, label, path, tone: tones.get(key) ?? -1, isHere: isIn(range, kernel) }
  })
  return [...groupBy(shown, flavouredPlatform)]
    .map(([platform, ranges]) => ({
      platform,
      ranges,
      kernels: ranges.reduce((sum, { kernels }) => sum + kernels, 0),
      isHere: ranges.some(({ isHere }) => isHere)
    }))
    .sort((a, b) => Number(b.isHere) - Number(a.isHere))
}

/** In words, for those who do not see the strip. */
export function describeRange ({ first, last, kernels, label, state, places, isHere }: StripRange): string {
  const [place] = places
  const what = state === 'type_missing'
    ? 'the type is missing'
    : place === undefined
      ? 'the member is missing'
      : place.value === null
        ? `${place.path} at ${label.replace('+', '')}, ${place.type}`
        : `${place.path} is ${place.value}`
  const releases = first === last ? first : `${first} to ${last}`
  return `${releases}, ${counted(kernels, 'kernel')}: ${what}${isHere ? ' (this kernel)' : ''}`
}

function flavouredPlatform ({ distro, distro_version: version, arch, flavour }: HistoryRange): string {
  return [distro, version, arch, flavour].filter(part => part !== '').join(' ')
}

function labelOf ({ state, places: [place] }: HistoryRange): string {
  if (state === 'type_missing') return 'no type'
  if (place === undefined) return 'missing'
  if (place.value !== null) return place.value
  if (place.bit_offset === null) return place.path
  return `+${formatOffset(place.bit_offset, place.is_bitfield)}`
}

/** Bytes; of a bitfield the bit within its byte too, as `pahole` and the service write it. */
export function formatOffset (bits: number, isBitfield: boolean): string {
  return isBitfield || bits % 8 !== 0 ? `${Math.floor(bits / 8)}:${bits % 8}` : String(bits / 8)
}

function isIn ({ distro, distro_version: version, arch, flavour, first, last }: HistoryRange, kernel: string): boolean {
  const [d, v, a, release = ''] = kernel.split('/')
  return d === distro && v === version && a === arch && hasFlavour(release, flavour) &&
    compareKernels(first, release) <= 0 && compareKernels(release, last) <= 0
}

/** `6.1.0-18-cloud-amd64` is no `amd64`: what stands before the flavour are the release's numbers. */
function hasFlavour (release: string, flavour: string): boolean {
  return flavour === '' || (release.endsWith(flavour) && /\d[-.+]?$/.test(release.slice(0, -flavour.length)))
}

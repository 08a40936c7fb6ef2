import type { Places } from '../c-types/places.js'
import type { KernelReference } from '../identity/reference.js'
import { orderRelease } from '../identity/release-order.js'
import type { HistoryRange } from '../wire/types.js'

/** A kernel, and where what was asked for is in it. Kernels that have it at one place may share the object. */
export interface PlacedKernel {
  readonly reference: KernelReference
  readonly places: Places
}

/**
 * Kernels in the order of distribution, version, architecture, flavour and release, those in a row that have it at the same places as
 * one range.
 */
export function toRanges (kernels: readonly PlacedKernel[]): HistoryRange[] {
  const texts = new Map<Places, string>()
  const textOf = (places: Places): string => {
    const text = texts.get(places) ?? JSON.stringify(places)
    texts.set(places, text)
    return text
  }
  const ordered = kernels.map(({ reference, places }) => {
    const { distro, distroVersion, arch, release } = reference
    const { flavour, key } = orderRelease(release)
    const family = [distro, orderRelease(distroVersion).key, distroVersion, arch, flavour].join('\n')
    return { reference, places, flavour, family, order: `${family}\n${key}\n${release}` }
  }).sort((a, b) => a.order < b.order ? -1 : 1)
  const ranges: HistoryRange[] = []
  let before: typeof ordered[number] | undefined
  for (const kernel of ordered) {
    const { reference: { distro, distroVersion, arch, release }, places, flavour, family } = kernel
    const last = ranges.at(-1)
    if (last !== undefined && before?.family === family && textOf(before.places) === textOf(places)) {
      ranges[ranges.length - 1] = { ...last, last: release, kernels: last.kernels + 1 }
    } else {
      ranges.push({ distro, distro_version: distroVersion, arch, flavour, first: release, last: release, kernels: 1, ...places })
    }
    before = kernel
  }
  return ranges
}

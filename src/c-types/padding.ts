/** From the start of the struct, in bits, except `alignment` in bytes. */
export interface Gap {
  readonly from: number
  readonly to: number
  /** Of what follows the gap. */
  readonly alignment: number
  /** Whether bitfields are on both sides. */
  readonly isInBitfield: boolean
}

/**
 * Unnamed bitfields that make C leave a gap where the kernel's struct has one, as libbpf's btf_dump writes them: `long: 64`, or
 * `int: 0` to go on at the next multiple. None where C leaves the same gap by itself.
 *
 * @param pointerSize bytes of a long
 */
export function paddingOf (gap: Gap, pointerSize: 4 | 8): string[] {
  if (gap.from >= gap.to) return []
  const pads = [['long', pointerSize * 8], ['int', 32], ['short', 16], ['char', 8]] as const
  const roundUp = (bits: number, unit: number): number => unit === 0 ? bits : Math.ceil(bits / unit) * unit
  const lines: string[] = []
  const [name, width] = pads.find(([, bits]) => roundUp(gap.from, bits) <= gap.to) ?? ['char', 8] as const
  let at = gap.from
  const aligned = roundUp(at, width)
  if (aligned > at && aligned <= gap.to) {
    const isNeeded = gap.isInBitfield ||
      (aligned === gap.to && roundUp(at, gap.alignment * 8) !== aligned) ||
      (aligned !== gap.to && gap.to - aligned <= aligned - at)
    if (isNeeded) lines.push(`${name}: ${gap.isInBitfield ? aligned - at : 0}`)
    at = aligned
  }
  for (; at + width <= gap.to; at += width) lines.push(`${name}: ${width}`)
  if (at < gap.to) {
    const rest = gap.to - at
    const [smallest] = pads.findLast(([, bits]) => bits >= rest) ?? ['long']
    lines.push(`${smallest}: ${rest}`)
  }
  return lines
}

import { describe, expect, it } from 'vitest'
import { historyText } from '../../../src/cli/types-text.js'
import type { HistoryPlace, TypeHistoryJson } from '../../../src/wire/types.js'

const PLACE: HistoryPlace = { path: '', type: 'int', bit_offset: 0, bit_size: 32, is_bitfield: false, found: 'named', value: null }

/** A history of one range. */
function history (place: HistoryPlace): TypeHistoryJson {
  const range = { distro: 'acme', distro_version: '1', arch: 'x86_64', flavour: '', first: '6.1', last: '6.1', kernels: 1 }
  return { type: 'struct s', member: null, kernels: 1, ranges: [{ ...range, state: 'present', places: [place] }], left_out: [] }
}

describe('a history as a table', () => {
  it.each<[string, Partial<HistoryPlace>, RegExp]>([
    ['a member', { path: 'pid', bit_offset: 64 }, / 1 {5}8 {3}pid: int$/m],
    ['an enumerator, which is at no place', { path: 'RED', type: 'enum color', value: '3' }, / 1 {9}RED = 3$/m],
    ['a type itself, which is at none either', { type: 'struct s', bit_size: 64 }, / 1 {9}struct s, 8 bytes$/m]
  ])('shows %s', (_what, place, line) => {
    expect(historyText(history({ ...PLACE, ...place }), (_format, text) => text)).toMatch(line)
  })
})

import { describe, expect, it } from 'vitest'
import { describeRange, formatOffset, stripOf } from '../../../page/model/strip.js'
import type { HistoryPlace, HistoryRange } from '../../../src/wire/types.js'

const place = (path: string, bits: number, changes: Partial<HistoryPlace> = {}): HistoryPlace =>
  ({ path, type: 'long', bit_offset: bits, bit_size: 64, is_bitfield: false, found: 'named', value: null, ...changes })
const range = (first: string, last: string, changes: Partial<HistoryRange> = {}): HistoryRange => ({
  distro: 'debian',
  distro_version: '12',
  arch: 'x86_64',
  flavour: 'amd64',
  first,
  last,
  kernels: 3,
  state: 'present',
  places: [
    place('state', 128)
  ],
  ...changes
})

describe('the strip of a member', () => {
  const missing = range('6.1.0-20-amd64', '6.1.0-30-amd64', { state: 'missing', places: [] })
  const renamed = range('6.1.0-31-amd64', '6.1.0-40-amd64', { places: [place('__state', 192, { found: 'renamed' })] })
  const cloud = range('6.1.0-1-cloud-amd64', '6.1.0-40-cloud-amd64', { flavour: 'cloud-amd64' })

  it('has a row for each platform, that of the open kernel first and marked', () => {
    const rows = stripOf([range('6.1.0-1-amd64', '6.1.0-9-amd64'), missing, renamed, cloud], 'debian/12/x86_64/6.1.0-10-cloud-amd64')
    expect(rows.map(({ platform, kernels, isHere }) => [platform, kernels, isHere])).toEqual([
      ['debian 12 x86_64 cloud-amd64', 3, true], ['debian 12 x86_64 amd64', 9, false]
    ])
    const [, amd64] = stripOf([cloud, range('6.1.0-1-amd64', '6.1.0-9-amd64'), missing], 'ubuntu/20.04/x86_64/5.4.0-1-generic')
    expect(amd64?.isHere).toBe(false)
  })

  it('finds the range of a release by its numbers', () => {
    const [row] = stripOf([range('6.1.0-1-amd64', '6.1.0-9-amd64'), missing, renamed], 'debian/12/x86_64/6.1.0-21-amd64')
    expect(row?.ranges.map(({ isHere }) => isHere)).toEqual([false, true, false])
  })

  it('says where the member is, and by which name', () => {
    const [row] = stripOf([range('6.1.0-1-amd64', '6.1.0-1-amd64', { kernels: 1 }), missing, renamed], 'debian/12/x86_64/6.1.0-21-amd64')
    expect(row?.ranges.map(({ label, path, tone }) => [label, path, tone])).toEqual([
      ['+16', undefined, 0], ['missing', undefined, -1], ['+24', '__state', 1]
    ])
    expect(row?.ranges.map(describeRange)).toEqual([
      '6.1.0-1-amd64, 1 kernel: state at 16, long',
      '6.1.0-20-amd64 to 6.1.0-30-amd64, 3 kernels: the member is missing (this kernel)',
      '6.1.0-31-amd64 to 6.1.0-40-amd64, 3 kernels: __state at 24, long'
    ])
  })

  it('writes the place of a bitfield with its bit, and the value of an enumerator', () => {
    expect([formatOffset(128, false), formatOffset(131, true), formatOffset(128, true)]).toEqual(['16', '16:3', '16:0'])
    const [row] = stripOf([range('6', '6', { places: [place('BPF_X', 0, { value: '12', bit_offset: null })] })], '')
    expect(row?.ranges[0]?.label).toBe('12')
  })
})

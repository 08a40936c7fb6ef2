import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { describeRelocation } from '../../../src/report/index.js'
import { decode, decodeImm64, encode, poison } from '../../support/asm.js'
import { concat, toHex, type ByteOrder } from '../../support/byte-writer.js'
import { relocate } from '../../support/relocate.js'

// The compiler's objects of one source in both byte orders, against numbers that were worked out by hand. No libbpf on a
// little-endian machine loads the big-endian one; the little-endian twin is compared with libbpf in test/differential.

type OfOrder<T> = T | { readonly el: T, readonly eb: T }

interface Expected {
  readonly function: string
  readonly kind: string
  readonly type: string
  readonly access: string
  readonly path: string
  readonly local: OfOrder<number>
  readonly target: OfOrder<number | null>
  readonly outcome: 'value' | 'poison'
  /** Bytes that the load at the record reads, before and after. */
  readonly localSize?: number
  readonly targetSize?: number
}

const FOLDER = new URL('../../fixtures/big-endian/', import.meta.url)
const fixture = (name: string): Uint8Array => readFileSync(new URL(name, FOLDER))
const expected = (JSON.parse(new TextDecoder().decode(fixture('expected.json'))) as { records: Expected[] }).records

const LD_IMM64 = 0x18
const SIZES: Partial<Record<number, number>> = { 0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8 }

describe.each([['el', 'little'], ['eb', 'big']] as const)('the object that clang compiles with -target bpf%s', (order, byteOrder) => {
  const object = parseObject(fixture(`layout.${order}.bpf.o`))
  const relocation = relocate(object, parseBtf(fixture(`target.${order}.btf`)))
  const report = describeRelocation(object, relocation)
  const after = relocation.bytes ?? new Uint8Array()

  it('is relocated, and has the records of the list, no more and no less', () => {
    expect(relocation.ok).toBe(true)
    expect(report.byte_order).toBe(byteOrder)
    expect(relocation.records.map(({ program, kind, accessSpec: access }) => `${program} ${kind} ${access}`))
      .toEqual(expected.map(record => `${record.function} ${record.kind} ${record.access}`))
  })

  it.each(
    expected.map((record, i) => [`${record.function}: ${record.kind} of ${record.type} ${record.path}`, record, i] as const)
  )('has the right value for %s', (_, wanted, i) => {
    const instruction = relocation.records[i]?.instruction
    const record = report.relocations.find(({ kind, access_spec: access, places }) => kind === wanted.kind && access === wanted.access &&
      places.some(place => place.program === wanted.function && place.instruction === instruction))
    const local = valueOf(wanted.local, order)
    const target = valueOf(wanted.target, order)
    const root = wanted.type.replace(/^\w+ /, '')
    expect(record).toMatchObject({
      type: wanted.type,
      access: wanted.access === '0' && wanted.path === '' ? wanted.type : `${root}.${wanted.path}`,
      status: wanted.outcome === 'poison' ? 'poisoned' : isExistence(wanted.kind) && target === 0 ? 'absent' : 'resolved',
      old: toReported(local),
      new: wanted.outcome === 'poison' ? null : toReported(target)
    })

    const at = placeOf(i)
    const length = object.bytes[at] === LD_IMM64 ? 16 : 8
    const [before, patched] = [object.bytes.slice(at, at + length), after.slice(at, at + length)]
    expect(toHex(patched)).toBe(toHex(wanted.outcome === 'poison'
      ? concat(...Array.from({ length: length / 8 }, () => poison(byteOrder)))
      : withValue(byteOrder, before, target ?? NaN, wanted.targetSize)))
    if (wanted.localSize !== undefined) expect(SIZES[(before[0] ?? 0) & 0x18]).toBe(wanted.localSize)
  })

  it('differs from the original nowhere else', () => {
    const allowed = new Set<number>()
    const allow = (from: number, count: number) => { for (let i = from; i < from + count; i++) allowed.add(i) }
    allow(object.extOffset + 28, 4) // core_relo_len
    relocation.records.forEach((_, i) => { allow(placeOf(i), object.bytes[placeOf(i)] === LD_IMM64 ? 16 : 8) })
    expect(after.length).toBe(object.bytes.length)
    expect(Array.from(after.keys()).filter(i => after[i] !== object.bytes[i] && !allowed.has(i))).toEqual([])
  })

  it('has nothing left to relocate afterwards', () => {
    expect(relocate(parseObject(after), parseBtf(fixture(`target.${order}.btf`)))).toMatchObject({ ok: true, records: [] })
  })

  /** Byte offset of a record's instruction in the file. */
  function placeOf (i: number): number {
    const record = relocation.records[i]
    return (record?.fn?.section.offset ?? NaN) + (record?.insnOff ?? NaN)
  }
})

it('the two byte orders agree in everything but the left shifts of bitfields', () => {
  const values = (order: 'el' | 'eb') => relocate(fixture(`layout.${order}.bpf.o`), parseBtf(fixture(`target.${order}.btf`))).records
    .filter(({ kind }) => kind !== 'lshift_u64').map(({ program, kind, status, newValue }) => [program, kind, status, newValue])
  expect(values('eb')).toEqual(values('el'))
})

it('an object is refused for a kernel of the other byte order', () => {
  expect(() => relocate(fixture('layout.eb.bpf.o'), parseBtf(fixture('target.el.btf')))).toThrow(/big-endian.*little-endian/)
  expect(() => relocate(fixture('layout.el.bpf.o'), parseBtf(fixture('target.eb.btf')))).toThrow(/little-endian.*big-endian/)
})

function valueOf<T extends number | null> (value: OfOrder<T>, order: 'el' | 'eb'): T {
  return typeof value === 'object' && value !== null ? value[order] : value
}

function isExistence (kind: string): boolean { return kind.endsWith('_exists') }

/** A u64 as reports show it. */
function toReported (value: number | null): number | string | null {
  return value === null || value >= 0 ? value : BigInt.asUintN(64, BigInt(value)).toString()
}

/** The instruction with another value in it, and with another access size where it is a load of `size` bytes. */
function withValue (byteOrder: ByteOrder, before: Uint8Array, value: number, size: number | undefined): Uint8Array {
  const { opcode, registers, off, imm } = decode(byteOrder, before)
  const slot = (code: number, newOff: number, newImm: number) => {
    const bytes = encode(byteOrder, code, 0, 0, newOff, newImm)
    bytes[1] = registers
    return bytes
  }
  if (opcode === LD_IMM64) {
    const wide = BigInt.asUintN(64, BigInt(value))
    const load = concat(slot(opcode, 0, Number(wide & 0xffff_ffffn)), encode(byteOrder, 0, 0, 0, 0, Number(wide >> 32n)))
    expect(decodeImm64(byteOrder, load)).toBe(wide)
    return load
  }
  if ((opcode & 7) === 7) return slot(opcode, off, value)
  const sizeBits = Object.entries(SIZES).find(([, bytes]) => bytes === size)?.[0]
  return slot(sizeBits === undefined ? opcode : (opcode & ~0x18) | Number(sizeBits), value, imm)
}

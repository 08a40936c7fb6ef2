import { describe, expect, it } from 'vitest'
import { parseObject } from '../../../src/core/index.js'
import { judge, type Verdict } from '../../../src/verdict/index.js'
import { assembler, poison } from '../../support/asm.js'
import { at, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { concat, ByteWriter } from '../../support/byte-writer.js'
import { SHT, STB, STT, type ElfSection } from '../../support/elf-writer.js'
import { NOTHING_RELOCATED } from '../../support/nothing-relocated.js'
import { buildObject } from '../../support/object-builder.js'

const asm = assembler('little')
const POISON = poison('little')
const EXIT = [asm.mov(0, 0), asm.exit()]

/** `enum bpf_map_type` */
const TYPE = { HASH: 1, ARRAY: 2, PERCPU_ARRAY: 6, LRU_HASH: 9, LPM_TRIE: 11, ARRAY_OF_MAPS: 12, HASH_OF_MAPS: 13 } as const
/** A release whose verifier knows elements of arrays. */
const NEWER = '7.0.1'
const OLDER = '5.10.0-46-amd64'

/** `__uint(name, value)` and the like are pointers to arrays of as many. */
const number = (local: BtfBuilder, value: number): number => local.ptr(local.array(integers(local).int, value))

/** The definition of a map with keys of 4 bytes and values of 8, as a typedef of a const struct. @param inner what it holds */
function definition (local: BtfBuilder, type: number, inner?: number): number {
  const held = inner === undefined ? [] : [at('values', 32, local.array(local.ptr(inner), 1))]
  return local.typedef('map_t', local.const(local.struct('', 32, [
    at('type', 0, number(local, type)), at('max_entries', 8, number(local, 4)), at('key', 16, local.ptr(integers(local).int)),
    at('value_size', 24, number(local, 8)), ...held
  ])))
}

interface Sections {
  readonly local: BtfBuilder
  readonly section: string
  readonly data: Uint8Array
  /** Of the section, in its header. */
  readonly header?: Pick<ElfSection, 'type' | 'shOffset' | 'shSize'>
}

function inBtf (define: (local: BtfBuilder) => number): Sections {
  const local = btf()
  local.datasec('.maps', 32, [[local.var('m', define(local)), 0, 32]])
  return { local, section: '.maps', data: new Uint8Array(32) }
}

/** `struct bpf_map_def`, as older loaders read it. */
function inBytes (type: number): Sections {
  const writer = new ByteWriter('little')
  for (const word of [type, 4, 8, 4, 0]) writer.u32(word)
  return { local: btf(), section: 'maps', data: writer.finish() }
}

/** The verdict of a program whose first instruction loads the map `m`. */
function verdictOf ({ local, section, data, header = {} }: Sections, insns: readonly Uint8Array[], kernelRelease = NEWER): Verdict {
  const code = concat(asm.ldImm64(1, 0), ...insns)
  const object = parseObject(buildObject({
    local,
    sectionsBefore: [{ name: section, data, ...header }],
    symbols: [{ name: 'm', section: 1, size: data.length, type: STT.OBJECT, binding: STB.GLOBAL }],
    programs: [{ section: 'kprobe/x', name: 'p', code }],
    records: [],
    relocations: [{ section: 'kprobe/x', offset: 0 }]
  }).bytes)
  return judge(object, { ...NOTHING_RELOCATED, target: { btf: object.btf, modules: [] } }, { kernelRelease }).verdict
}

const map = (type: number): Sections => inBtf(local => definition(local, type))

/** helper(r1, r10 - 16) with a key of 4 bytes */
const withKey = (helper: number, key = 0): Uint8Array[] =>
  [asm.mov(6, key), asm.stx('w', 10, 6, -16), asm.movReg(2, 10), asm.add(2, -16), asm.call(helper)]
const lookUp = (key = 0): Uint8Array[] => withKey(1, key)
/** if r0 != 0 goto + */
const ifNotNull = (skipped: number): Uint8Array => asm.slot(0x55, 0, 0, skipped, 0)
/** Poison where r0 is null. */
const NULL_IS_POISON = [ifNotNull(1), POISON, ...EXIT]

describe('the verdict of poison where a lookup finds nothing', () => {
  it.each([TYPE.HASH, TYPE.LRU_HASH, TYPE.LPM_TRIE])('is fails for maps whose elements no verifier knows, as those of type %i', type => {
    expect(verdictOf(map(type), [...lookUp(), ...NULL_IS_POISON])).toBe('fails')
    expect(verdictOf(inBytes(type), [...lookUp(), ...NULL_IS_POISON])).toBe('fails')
    expect(verdictOf(map(type), [...lookUp(), ...NULL_IS_POISON], OLDER)).toBe('fails')
  })

  it.each([TYPE.ARRAY, TYPE.PERCPU_ARRAY])('is loads for the first element of arrays, with verifiers that know it: type %i', type => {
    expect(verdictOf(map(type), [...lookUp(), ...NULL_IS_POISON])).toBe('loads')
    expect(verdictOf(inBytes(type), [...lookUp(), ...NULL_IS_POISON])).toBe('loads')
    expect(verdictOf(map(type), [...lookUp(), ...NULL_IS_POISON], OLDER)).toBe('fails')
    expect(verdictOf(map(type), [...lookUp(), ...NULL_IS_POISON], '4.18.0-553.el8_10.x86_64')).toBe('unknown')
  })

  it('is unknown for another element of an array, of which a loader may set the length', () => {
    expect(verdictOf(map(TYPE.ARRAY), [...lookUp(3), ...NULL_IS_POISON])).toBe('unknown')
  })

  it('is fails for an element that may be any of an array, and for a zero that is stored with another size than the key has', () => {
    const key = [asm.movReg(2, 10), asm.add(2, -16), asm.call(1)]
    const some = [asm.movReg(7, 1), asm.call(7), asm.stx('w', 10, 0, -16), asm.movReg(1, 7)]
    expect(verdictOf(map(TYPE.ARRAY), [...some, ...key, ...NULL_IS_POISON])).toBe('fails')
    expect(verdictOf(map(TYPE.ARRAY), [asm.mov(6, 0), asm.stx('dw', 10, 6, -16), ...key, ...NULL_IS_POISON])).not.toBe('loads')
  })

  it.each([TYPE.ARRAY_OF_MAPS, TYPE.HASH_OF_MAPS])('is fails for maps of maps, and as they are defined for those within: type %i', type => {
    const holding = (inner: number): Sections => inBtf(local => definition(local, type, definition(local, inner)))
    expect(verdictOf(holding(TYPE.ARRAY), [...lookUp(), ...NULL_IS_POISON])).toBe('fails')
    const inner = [...lookUp(), ifNotNull(2), ...EXIT, asm.movReg(1, 0), ...lookUp(), ...NULL_IS_POISON]
    expect(verdictOf(holding(TYPE.HASH), inner)).toBe('fails')
    expect(verdictOf(holding(TYPE.ARRAY), inner)).toBe('unknown')
  })

  it('is unknown where the definition does not tell what kind of map it is', () => {
    expect(verdictOf(inBtf(local => integers(local).int), [...lookUp(), ...NULL_IS_POISON])).toBe('unknown')
    expect(verdictOf(inBtf(local => local.struct('', 8, [at('type', 0, integers(local).int)])), [...lookUp(), ...NULL_IS_POISON])).toBe(
      'unknown'
    )
    expect(verdictOf(map(4711), [...lookUp(), ...NULL_IS_POISON])).toBe('unknown')
    expect(verdictOf({ ...inBytes(TYPE.HASH), data: new Uint8Array(4) }, [...lookUp(), ...NULL_IS_POISON])).toBe('unknown')
    const nowhere = { type: SHT.NOBITS, shOffset: 0x7fffffff, shSize: 0x7fffffff }
    expect(verdictOf({ ...inBytes(TYPE.HASH), header: nowhere }, [...lookUp(), ...NULL_IS_POISON])).toBe('unknown')
  })
})

describe('a number on the stack above a key', () => {
  /** Poison where 8 bytes are not 0. */
  const isZero = (offset: number): Uint8Array[] => [asm.ldx('dw', 1, 10, offset), asm.jeq(1, 0, 1), POISON, ...EXIT]
  const zero = (offset: number): Uint8Array[] => [asm.mov(6, 0), asm.stx('dw', 10, 6, offset)]

  it.each([1, 3])('is still known behind helper %i, which reads the key alone', helper => {
    for (const release of [NEWER, OLDER]) {
      expect(verdictOf(map(TYPE.HASH), [...zero(-8), ...withKey(helper), ...isZero(-8)], release)).toBe('loads')
    }
  })

  it('is still known behind an update where it does not lie in the value', () => {
    const update = [asm.movReg(3, 10), asm.add(3, -32), asm.mov(4, 0)]
    const program = (kept: number): Uint8Array[] => [...zero(-8), ...zero(-24), ...zero(-32), ...update, ...withKey(2), ...isZero(kept)]
    expect(verdictOf(map(TYPE.HASH), program(-8))).toBe('loads')
    expect(verdictOf(map(TYPE.HASH), program(-24))).toBe('loads')
    expect(verdictOf(map(TYPE.HASH), program(-32))).toBe('unknown')
  })

  it('is in doubt where the size of the key is not known, or it lies in the key itself', () => {
    expect(verdictOf(inBtf(local => integers(local).int), [...zero(-8), ...lookUp(), ...isZero(-8)])).toBe('unknown')
    expect(verdictOf(map(TYPE.HASH), [...zero(-16), ...lookUp(), ...isZero(-16)])).toBe('unknown')
  })
})

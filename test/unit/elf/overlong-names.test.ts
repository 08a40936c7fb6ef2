import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { LIMITS } from '../../../src/limits.js'
import { assembler } from '../../support/asm.js'
import type { BtfBuilder } from '../../support/btf-builder.js'
import { at, btf, integers, KIND } from '../../support/btf-builder.js'
import { ByteWriter, concat } from '../../support/byte-writer.js'
import { fooSpec, targetFoo } from '../../support/corpus.js'
import { SHT, STT } from '../../support/elf-writer.js'
import { buildObject } from '../../support/object-builder.js'
import { relocate } from '../../support/relocate.js'
import { refusal, relocateObject } from '../../support/scenario.js'

const asm = assembler('little')

/** An ELF file of sections that all take their name from one table, each from another of its bytes on. */
function elfWithNames (sections: number, names: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(64 + (sections + 1) * 64 + names.length)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  bytes.writeUInt16LE(1, 16)
  bytes.writeUInt16LE(247, 18)
  bytes.writeBigUInt64LE(64n, 40)
  bytes.writeUInt16LE(64, 58)
  bytes.writeUInt16LE(sections + 1, 60)
  bytes.writeUInt16LE(1, 62)
  for (let i = 1; i <= sections; i++) {
    const header = 64 + i * 64
    bytes.writeUInt32LE(i, header)
    bytes.writeUInt32LE(i === 1 ? SHT.STRTAB : SHT.PROGBITS, header + 4)
    if (i === 1) bytes.writeBigUInt64LE(BigInt(64 + (sections + 1) * 64), header + 24)
    if (i === 1) bytes.writeBigUInt64LE(BigInt(names.length), header + 32)
  }
  bytes.set(names, 64 + (sections + 1) * 64)
  return bytes
}

const filled = (bytes: number) => new Uint8Array(bytes).fill(0x61)

describe('names without a bound', () => {
  it('of 4,000 sections, from one table of 60 MB, are refused before any becomes text', () => {
    const bytes = elfWithNames(4000, filled(60 << 20))
    expect(refusal('btf_invalid', () => parseBtf(bytes)).message).toContain(`more than ${LIMITS.nameBytes} bytes`)
    refusal('object_invalid', () => parseObject(bytes))
  })

  it('are refused too where each is short enough, and all together are not', () => {
    const names = filled(64 << 10)
    for (let i = 8000; i < names.length; i += 8000) names[i] = 0
    expect(refusal('object_invalid', () => parseObject(elfWithNames(4095, names))).message).toContain(
      `more than ${LIMITS.namesBytes} bytes altogether`
    )
  })

  it('of functions are refused', () => {
    const names = concat(filled(1 << 20), Uint8Array.of(0))
    const symbols = new ByteWriter('little').zeros(24)
    for (let i = 0; i < 1000; i++) symbols.u32(i).u8(1 << 4 | STT.FUNC).u8(0).u16(1).u64(0).u64(16)
    const error = refusal('object_invalid', () => relocateObject(fooSpec('little', {
      symtab: false,
      sectionsAfter: [
        { name: '.symtab', type: SHT.SYMTAB, data: symbols.finish(), link: 5, entsize: 24 },
        { name: '.strtab', type: SHT.STRTAB, data: names }
      ]
    }), targetFoo('little')))
    expect(error.message).toContain('string table has a name of more than')
  })

  it('of the sections in .BTF.ext are refused', () => {
    const local = btf()
    const { int } = integers(local)
    const type = local.struct('foo', 4, [at('x', 0, int)])
    const long = local.string('a'.repeat(100_000))
    const bytes = buildObject({
      local,
      programs: [{ section: 'tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
      ext: {
        blocks: Array.from({ length: 5000 }, (_, i) => ({
          section: 'tp/a',
          sectionNameOff: long + i,
          records: [{ section: 'tp/a', insnOff: 0, typeId: type, access: '0:0', kind: 'byte_off' as const }]
        }))
      }
    }).bytes
    expect(refusal('object_invalid', () => parseObject(bytes)).message).toContain('names its sections by a name of more than')
  })

  it('of an access are no access', () => {
    const local = btf()
    const { int } = integers(local)
    const type = local.struct('foo', 4, [at('x', 0, int)])
    const { relocation } = relocateObject({
      local,
      programs: [{ section: 'tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
      records: [{ section: 'tp/a', insnOff: 0, typeId: type, access: `0:${'0'.repeat(LIMITS.nameBytes)}`, kind: 'byte_off' }]
    }, targetFoo('little'))
    expect(relocation.records[0]).toMatchObject({ status: 'failed', reason: 'access_malformed' })
    expect(relocation.records[0]?.accessSpec.length).toBeLessThanOrEqual(LIMITS.nameBytes + 1)
  })
})

describe('names of kernel types', () => {
  /** A BTF of so many structs, whose names are the rest of one long string, from each of its bytes on. */
  function overlappingNames (types: number, length: number, builder: BtfBuilder = btf()): Uint8Array {
    const start = builder.string('a'.repeat(length))
    for (let i = 0; i < types; i++) builder.raw({ nameOff: start + i, kind: KIND.STRUCT, sizeOrType: 4 })
    return builder.bytes()
  }

  it('of more bytes than a name has are refused, whatever else is in the BTF', () => {
    expect(refusal('btf_invalid', () => parseBtf(overlappingNames(20_000, 300_000))).details).toEqual({
      type_id: 1, limit: LIMITS.nameBytes
    })
    expect(parseBtf(overlappingNames(2, LIMITS.nameBytes - 1)).endId).toBe(3)
  })

  it('of a module are bounded where they are in the strings of the kernel', () => {
    const base = btf()
    const start = base.string('a'.repeat(LIMITS.nameBytes + 1))
    const module = btf({ base })
    module.raw({ nameOff: start, kind: KIND.STRUCT, sizeOrType: 4 })
    refusal('btf_invalid', () => parseBtf(module.bytes(), { base: parseBtf(base.bytes()) }))
  })

  it('that lie within each other are read up to a bound of all of them', () => {
    const types = 10_000
    const strings = filled(LIMITS.nameBytes)
    strings[0] = strings[LIMITS.nameBytes - 1] = 0
    const words = new ByteWriter('little')
    for (let i = 0; i < types; i++) words.u32(1).u32(KIND.STRUCT << 24).u32(4)
    const bytes = btf().bytes({ strings, afterTypes: words.finish() })
    expect(refusal('btf_invalid', () => parseBtf(bytes)).message).toContain('altogether')
  })
})

it('an object with more ELF relocations of its code than the limit is refused, also where its tables overlap', () => {
  const spec = fooSpec('little')
  const table = new ByteWriter('little')
  for (let i = 0; i < 1024; i++) table.u64(0).u64(1n << 32n)
  const tables = Array.from({ length: 1100 }, () => ({ name: '.rel', type: SHT.REL, data: new Uint8Array(), info: 1, entsize: 16 }))
  const built = buildObject({
    ...spec, sectionsAfter: [{ name: '.rel', type: SHT.REL, data: table.finish(), info: 1, entsize: 16 }, ...tables]
  })
  const [first, ...others] = built.sections.filter(({ name }) => name === '.rel')
  const bytes = Buffer.from(built.bytes)
  for (const { headerOffset } of others) {
    bytes.writeBigUInt64LE(BigInt(first?.offset ?? 0), headerOffset + 24)
    bytes.writeBigUInt64LE(BigInt(first?.size ?? 0), headerOffset + 32)
  }
  expect(refusal('object_invalid', () => relocate(bytes, parseBtf(targetFoo('little').bytes()))).message).toContain('ELF relocations')
})

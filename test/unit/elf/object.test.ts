import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { assembler } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { BYTE_ORDERS, ByteWriter, concat, overwrite, toHex, type ByteOrder } from '../../support/byte-writer.js'
import { fooSpec, localFoo, targetFoo } from '../../support/corpus.js'
import { ET, SHF, SHT, STT, type ElfHeaderOptions } from '../../support/elf-writer.js'
import { buildObject, type ExtOptions, type ObjectSpec } from '../../support/object-builder.js'
import { refusal, relocateObject } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

const asm = assembler('little')
const code = (...slots: Uint8Array[]) => concat(...slots, asm.exit())
const loadY = () => asm.ldx('w', 2, 1, 4)

function run (changes: Partial<ObjectSpec>, byteOrder: ByteOrder = 'little') {
  return relocateObject(fooSpec(byteOrder, changes), targetFoo(byteOrder))
}

function refused (changes: Partial<ObjectSpec>, byteOrder: ByteOrder = 'little') {
  return refusal('object_invalid', () => run(changes, byteOrder))
}

const withHeader = (header: ElfHeaderOptions) => run({ header })
const withExt = (ext: ExtOptions, byteOrder: ByteOrder = 'little') => run({ ext }, byteOrder)
const refusedExt = (ext: ExtOptions, byteOrder: ByteOrder = 'little') => refused({ ext }, byteOrder)

describe('edge 1: ELF class', () => {
  it('refuses a 32-bit object', () => {
    refusal('object_invalid', () => withHeader({ elfClass: 32 }))
  })
})

describe('edge 2: machine and file type', () => {
  it.each([247, 0])('accepts machine %i', (machine) => {
    expect(withHeader({ machine }).outcomes).toEqual(['resolved 12'])
  })

  it.each([62, 183, 3, 1])('refuses machine %i', (machine) => {
    refusal('object_invalid', () => withHeader({ machine }))
  })

  it.each([ET.EXEC, 3, 0, 4])('refuses file type %i', (type) => {
    refusal('object_invalid', () => withHeader({ type }))
  })

  it.each([0, 3, 255])('refuses data encoding %i', (data) => {
    refusal('object_invalid', () => withHeader({ data }))
  })

  it('follows extended section numbering', () => {
    expect(withHeader({ extendedNumbering: true }).outcomes).toEqual(['resolved 12'])
  })

  it('refuses an object without a symbol table', () => {
    refused({ symtab: false })
  })

  it('refuses an object with two symbol tables', () => {
    refused({ sectionsAfter: [{ name: '.symtab2', type: SHT.SYMTAB, data: new Uint8Array(24), entsize: 24, link: 1 }] })
  })
})

describe('edge 3: byte order of the object', () => {
  it.each([
    ['little', '61 12 04 00 00 00 00 00', '61 12 0c 00 00 00 00 00'],
    ['big', '61 21 00 04 00 00 00 00', '61 21 00 0c 00 00 00 00']
  ] as const)('reads and writes a %s-endian object in its own order', (byteOrder, before, after) => {
    const { object, relocation } = run({}, byteOrder)
    const start = object.section('raw_tp/a').offset
    expect(toHex(object.bytes.slice(start, start + 8))).toBe(before)
    expect(toHex(relocation.bytes?.slice(start, start + 8) ?? new Uint8Array())).toBe(after)
  })
})

describe('edge 4: mixed byte orders', () => {
  it.each(BYTE_ORDERS)('refuses a %s-endian ELF file whose .BTF has the other order', (byteOrder) => {
    const other = byteOrder === 'little' ? 'big' : 'little'
    const error = refused({ btf: localFoo(other).b.bytes() }, byteOrder)
    expect(error.message).toMatch(/endian|byte order/i)
  })

  it.each(BYTE_ORDERS)('refuses a %s-endian ELF file whose .BTF.ext has the other order', (byteOrder) => {
    const error = refusedExt({ byteOrder: byteOrder === 'little' ? 'big' : 'little' }, byteOrder)
    expect(error.message).toMatch(/endian|byte order/i)
  })
})

describe('edges 5 to 7: length of the .BTF.ext header', () => {
  it.each([24, 28])('takes a header of %i bytes to have no relocations', (hdrLen) => {
    const { object, relocation } = withExt({ hdrLen })
    expect(relocation.records).toEqual([])
    expect(relocation.bytes).toEqual(object.bytes)
  })

  it('accepts a header of 40 bytes with junk at its end, and counts offsets from 40', () => {
    expect(withExt({ hdrLen: 40, headerFill: 0xee }).outcomes).toEqual(['resolved 12'])
  })

  it.each([0, 8, 20, 23])('refuses a header that says it has %i bytes', (hdrLen) => {
    const object = buildObject(fooSpec())
    const bytes = overwrite(object.bytes, object.section('.BTF.ext').offset + 4, 4, hdrLen, 'little')
    refusal('object_invalid', () => relocate(bytes, parseBtf(targetFoo().bytes())))
  })
})

describe('edge 8: empty core_relo with a wild offset', () => {
  it('accepts it', () => {
    const { relocation } = withExt({ parts: { core_relo: { content: new Uint8Array(), off: 0xdeadbeef, len: 0 } } })
    expect(relocation).toMatchObject({ ok: true, records: [] })
  })
})

describe('edge 9: record sizes and counts', () => {
  const content = (...words: number[]) => {
    const writer = new ByteWriter('little')
    for (const word of words) writer.u32(word)
    return writer.finish()
  }

  it('refuses a subsection that holds a record size and nothing else', () => {
    refusedExt({ parts: { core_relo: { content: content(16) } } })
  })

  it('refuses a subsection shorter than a record size', () => {
    refusedExt({ parts: { core_relo: { content: content(16), len: 3 } } })
  })

  it('refuses a block that says it has no records', () => {
    refusedExt({ parts: { core_relo: { content: content(16, 1, 0) } } })
  })

  it('refuses a block header that is cut off', () => {
    refusedExt({ parts: { core_relo: { content: content(16, 1) } } })
  })

  it.each([0, 4, 12, 18, 17])('refuses record size %i', (recordSize) => {
    refusedExt({ parts: { core_relo: { recordSize } } })
  })

  const twoLargeRecords = (byteOrder: ByteOrder) => {
    const { b, foo } = localFoo(byteOrder)
    const encode = assembler(byteOrder)
    return relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(encode.ldx('w', 2, 1, 4), encode.ldx('w', 2, 1, 0), encode.exit()) }],
      records: [
        { section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0:1', kind: 'byte_off' },
        { section: 'raw_tp/a', insnOff: 8, typeId: foo, access: '0:0', kind: 'byte_off' }
      ],
      ext: { parts: { core_relo: { recordSize: 20 } } }
    }, targetFoo(byteOrder))
  }

  it('steps over the extra bytes of larger records', () => {
    expect(twoLargeRecords('little').outcomes).toEqual(['resolved 12', 'resolved 8'])
  })

  it('refuses larger records in a big-endian object, as libbpf does on a little-endian machine', () => {
    refusal('object_invalid', () => twoLargeRecords('big'))
  })

  it.each([
    ['func_info', content(4, 1, 1, 0)],
    ['func_info', content(8, 1, 0)],
    ['line_info', content(12, 1, 1, 0, 0, 0)],
    ['line_info', content(16, 1, 2, 0, 0, 0, 0)]
  ] as const)('refuses a malformed %s, though it holds no relocation', (part, bytes) => {
    refusedExt({ parts: { [part]: { content: bytes } } })
  })
})

describe('edge 10: bounds of .BTF.ext', () => {
  it('refuses a block that runs past its subsection', () => {
    refusedExt({ blocks: [{ section: 'raw_tp/a', records: [{ section: 'raw_tp/a', insnOff: 0, typeId: 1, kind: 0 }], numInfo: 2 }] })
  })

  it('refuses a record count whose product with the record size overflows 32 bits', () => {
    refusedExt({
      blocks: [{ section: 'raw_tp/a', records: [{ section: 'raw_tp/a', insnOff: 0, typeId: 1, kind: 0 }], numInfo: 0x10000001 }]
    })
  })

  it('refuses a subsection that runs past the section', () => {
    refusedExt({ parts: { core_relo: { len: 0x1000 } } })
  })

  it('refuses a subsection whose offset and length overflow 32 bits', () => {
    refusedExt({ parts: { core_relo: { off: 0xfffffff0 } } })
  })

  it('refuses a subsection at an unaligned offset', () => {
    refusedExt({ parts: { core_relo: { off: 2 } } })
  })
})

describe('edge 11: .BTF.ext identification', () => {
  it.each([
    ['version 2', { version: 2 }],
    ['version 0', { version: 0 }],
    ['flags 1', { flags: 1 }],
    ['another magic number', { magic: 0x1234 }]
  ])('refuses %s', (_, ext) => {
    refusedExt(ext)
  })

  it.each([0, 4, 7])('refuses a .BTF.ext of %i bytes', (length) => {
    refused({ btfExt: new Uint8Array(length) })
  })

  it('refuses a .BTF.ext that ends with its header', () => {
    refusedExt({
      parts: {
        func_info: { content: new Uint8Array() }, line_info: { content: new Uint8Array() }, core_relo: { content: new Uint8Array() }
      }
    })
  })
})

describe('edge 12: blocks and the sections they name', () => {
  it('relocates the records of two blocks for one section', () => {
    const { b, foo } = localFoo()
    const record = (insnOff: number, access: string) => ({ section: 'raw_tp/a', insnOff, typeId: foo, access, kind: 'byte_off' as const })
    const { outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY(), asm.ldx('w', 2, 1, 0)) }],
      ext: { blocks: [{ section: 'raw_tp/a', records: [record(0, '0:1')] }, { section: 'raw_tp/a', records: [record(8, '0:0')] }] }
    }, targetFoo())
    expect(outcomes).toEqual(['resolved 12', 'resolved 8'])
  })

  it('leaves out the records of a block whose section the object does not have', () => {
    const { relocation } = run({ records: [{ section: 'no_such_section', insnOff: 0, typeId: 1, access: '0', kind: 'byte_off' }] })
    expect(relocation).toMatchObject({ ok: true, records: [], changedInstructions: 0 })
  })

  it('refuses an unaligned record even there', () => {
    expect(run({ records: [{ section: 'no_such_section', insnOff: 4, typeId: 1, access: '0', kind: 'byte_off' }] }).outcomes).toEqual([
      'failed EINVAL'
    ])
  })

  it('refuses a block with an empty section name', () => {
    refused({ records: [{ section: '', insnOff: 0, typeId: 1, access: '0', kind: 'byte_off' }] })
  })

  it('refuses a block whose section name lies outside the strings', () => {
    refusedExt({
      blocks: [{ section: 'raw_tp/a', sectionNameOff: 0xffff, records: [{ section: 'raw_tp/a', insnOff: 0, typeId: 1, kind: 0 }] }]
    })
  })
})

describe('edge 13: records in no function', () => {
  it('ignores a record between two functions', () => {
    const { b, foo } = localFoo()
    const record = (insnOff: number) => ({ section: 'raw_tp/a', insnOff, typeId: foo, access: '0:1', kind: 'byte_off' as const })
    const { object, relocation, outcomes } = relocateObject({
      local: b,
      programs: [
        { section: 'raw_tp/a', name: 'before', code: code(loadY()) },
        { section: 'raw_tp/a', name: 'eliminated', code: code(loadY()), symbol: false },
        { section: 'raw_tp/a', name: 'after', code: code(loadY()) }
      ],
      records: [record(0), record(16), record(32)]
    }, targetFoo())
    expect(outcomes).toEqual(['resolved 12', 'resolved 12'])
    expect(relocation.records.map(({ program, insnOff, instruction }) => [program, insnOff, instruction])).toEqual([
      ['before', 0, 0], ['after', 32, 0]
    ])
    const start = object.section('raw_tp/a').offset
    expect(toHex(relocation.bytes?.slice(start + 16, start + 24) ?? new Uint8Array())).toBe(toHex(loadY()))
  })

  it('ignores a record past the end of the section', () => {
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      ...fooSpec(),
      local: b,
      records: [{ section: 'raw_tp/a', insnOff: 0x10000, typeId: foo, access: '0:1', kind: 'byte_off' }]
    }, targetFoo())
    expect(relocation.records).toEqual([])
  })

  it('does not even look at the type of such a record', () => {
    const { relocation } = run({ records: [{ section: 'raw_tp/a', insnOff: 0x10000, typeId: 99999, access: 'junk', kind: 77 }] })
    expect(relocation).toMatchObject({ ok: true, records: [] })
  })
})

describe('edge 14: unaligned instruction offsets', () => {
  it.each([1, 4, 7, 12])('refuses offset %i', (insnOff) => {
    const { b, foo } = localFoo()
    const { outcomes } = relocateObject(
      { ...fooSpec(), local: b, records: [{ section: 'raw_tp/a', insnOff, typeId: foo, access: '0:1', kind: 'byte_off' }] }, targetFoo()
    )
    expect(outcomes).toEqual(['failed EINVAL'])
  })
})

describe('edge 15: second slot of a 64-bit load', () => {
  it.each(BYTE_ORDERS)('refuses a record on it (%s)', (byteOrder) => {
    const { b, foo } = localFoo(byteOrder)
    const encoded = assembler(byteOrder)
    const { outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(encoded.ldImm64(1, 1), encoded.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 8, typeId: foo, kind: 'type_exists' }]
    }, targetFoo(byteOrder))
    expect(outcomes).toEqual(['failed EINVAL'])
  })
})

describe('edge 16: sections that are not loaded by default', () => {
  const optional = (access: string, kind: 'byte_off' | 'field_exists' = 'byte_off') => {
    const { b, foo } = localFoo()
    return relocateObject({
      local: b,
      programs: [
        { section: '?raw_tp/a', name: 'optional', code: code(loadY()) },
        { section: 'raw_tp/a', name: 'normal', code: code(loadY()) }
      ],
      records: [
        { section: '?raw_tp/a', insnOff: 0, typeId: foo, access, kind },
        { section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0:1', kind: 'byte_off' }
      ]
    }, targetFoo())
  }

  it('finds the section by its whole name, question mark included', () => {
    const { relocation, outcomes } = optional('0:1')
    expect(outcomes).toEqual(['resolved 12', 'resolved 12'])
    expect(relocation.records.map(({ section, program }) => [section, program])).toEqual([
      ['?raw_tp/a', 'optional'], ['raw_tp/a', 'normal']
    ])
  })

  it('poisons what fails there and does not fail the object', () => {
    const { relocation, outcomes } = optional('0:9')
    expect(outcomes).toEqual(['poisoned EINVAL', 'resolved 12'])
    expect(relocation.ok).toBe(true)
  })
})

describe('edge 17: functions and symbols', () => {
  const record = (section: string, insnOff: number, typeId: number) =>
    ({ section, insnOff, typeId, access: '0:1', kind: 'byte_off' as const })

  it('numbers instructions within each of two functions of a section', () => {
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      local: b,
      programs: [
        { section: 'raw_tp/a', name: 'first', code: code(asm.mov(0, 0), loadY()) },
        { section: 'raw_tp/a', name: 'second', code: code(asm.mov(0, 0), asm.mov(0, 0), loadY()) }
      ],
      records: [record('raw_tp/a', 8, foo), record('raw_tp/a', 24 + 16, foo)]
    }, targetFoo())
    expect(relocation.records.map(({ program, instruction }) => [program, instruction])).toEqual([['first', 1], ['second', 2]])
  })

  it('gives an instruction to the function that starts last before it, or to none when that one has ended', () => {
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'outer', code: code(loadY(), loadY(), loadY()) }],
      symbols: [{ name: 'inner', value: 8, size: 8, section: 1 }],
      records: [record('raw_tp/a', 0, foo), record('raw_tp/a', 8, foo), record('raw_tp/a', 16, foo)]
    }, targetFoo())
    expect(relocation.records.map(({ program, insnOff, instruction }) => [program, insnOff, instruction])).toEqual([
      ['outer', 0, 0], ['inner', 8, 0]
    ])
  })

  it('accepts a static function in .text', () => {
    const { b, foo } = localFoo()
    const { outcomes } = relocateObject({
      local: b, programs: [{ section: '.text', name: 'helper', code: code(loadY()), binding: 'local' }], records: [record('.text', 0, foo)]
    }, targetFoo())
    expect(outcomes).toEqual(['resolved 12'])
  })

  it('refuses a static function elsewhere', () => {
    refused({ programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()), binding: 'local' }] })
  })

  it('accepts a weak function', () => {
    expect(run({ programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()), binding: 'weak' }] }).outcomes).toEqual(['resolved 12'])
  })

  it('patches the code under two names of one function once', () => {
    const { outcomes, relocation } = run({ programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()), aliases: ['alias'] }] })
    expect(outcomes).toEqual(['resolved 12'])
    expect(relocation.changedInstructions).toBe(1)
  })

  it.each([
    ['starts at an odd offset', { symbolValue: 4, symbolSize: 8 }],
    ['has an odd size', { symbolSize: 12 }],
    ['has no size', { symbolSize: 0 }],
    ['ends past its section', { symbolSize: 24 }],
    ['overflows 64 bits', { symbolValue: 8n, symbolSize: 0xfffffffffffffff8n }]
  ])('refuses a function symbol that %s', (_, symbol) => {
    refused({ programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()), ...symbol }] })
  })

  it('refuses a symbol table whose string table does not exist', () => {
    const object = buildObject(fooSpec())
    const bytes = overwrite(object.bytes, object.section('.symtab').headerOffset + 40, 4, 99, 'little')
    refusal('object_invalid', () => parseObject(bytes))
  })
})

describe('edge 18: duplicate section names', () => {
  const twin = { name: 'raw_tp/a', type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, data: code(loadY()) }

  it('refuses them where they carry records', () => {
    refused({ sectionsAfter: [twin] })
  })

  it('accepts them where they carry none', () => {
    const data = { name: '.rodata', data: new Uint8Array(8) }
    expect(run({ sectionsAfter: [data, data] }).outcomes).toEqual(['resolved 12'])
  })
})

describe('edge 19: missing or broken BTF', () => {
  it('refuses an object without .BTF', () => {
    refused({ btf: null })
  })

  it('refuses an object whose .BTF is corrupt', () => {
    refused({ btf: Uint8Array.of(1, 2, 3, 4) })
  })

  it('refuses an object whose .BTF is not PROGBITS', () => {
    const { b } = localFoo()
    refused({ local: b, btf: null, sectionsBefore: [{ name: '.BTF', type: SHT.STRTAB, data: b.bytes() }] })
  })

  it('refuses an object whose .BTF.ext is corrupt although nothing else needs BTF', () => {
    refused({ btfExt: concat(new Uint8Array(40).fill(0x41)) })
  })

  it('accepts an object without .BTF.ext as one without relocations', () => {
    const { object, relocation } = run({ btfExt: null })
    expect(relocation).toMatchObject({ ok: true, records: [] })
    expect(relocation.bytes).toEqual(object.bytes)
  })

  it('takes the last of several .BTF sections', () => {
    const { outcomes } = run({ sectionsBefore: [{ name: '.BTF', data: btf().bytes() }] })
    expect(outcomes).toEqual(['resolved 12'])
  })
})

describe('edge 20: code without function symbols', () => {
  it.each([STT.NOTYPE, STT.OBJECT, STT.SECTION])('ignores the records there (symbol type %i)', (symbolType) => {
    const { relocation } = run({ programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()), symbolType }] })
    expect(relocation).toMatchObject({ ok: true, records: [] })
  })

  it('ignores records of a section that is not executable', () => {
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: code(loadY()) }],
      sectionsAfter: [{ name: 'data', data: code(loadY()) }],
      records: [{ section: 'data', insnOff: 0, typeId: foo, access: '0:1', kind: 'byte_off' }]
    }, targetFoo())
    expect(relocation).toMatchObject({ ok: true, records: [] })
  })
})

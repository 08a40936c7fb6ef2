import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { AppError } from '../../../src/errors.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers, KIND } from '../../support/btf-builder.js'
import { BYTE_ORDERS, concat, overwrite } from '../../support/byte-writer.js'
import { fooSpec, localFoo, richObject, targetFoo } from '../../support/corpus.js'
import { elf } from '../../support/elf-writer.js'
import { buildObject, type ObjectSpec } from '../../support/object-builder.js'
import { outcomeOf, refusal, relocateObject } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

const asm = assembler('little')
const target = parseBtf(targetFoo().bytes())

/** The error's own words and facts, in one string to look for a place in. */
const told = (error: AppError) => `${error.message} ${JSON.stringify(error.details)}`

const refusedObject = (bytes: Uint8Array) => refusal('object_invalid', () => relocate(bytes, target))

/** Offsets of fields in a 64-bit section header. */
const SH = { type: 4, offset: 24, size: 32, link: 40, info: 44, entsize: 56 } as const

describe('files that are no eBPF object', () => {
  it.each([
    ['nothing', new Uint8Array()],
    ['one byte', Uint8Array.of(0x7f)],
    ['the ELF magic alone', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46)],
    ['zeros', new Uint8Array(4096)],
    ['a web page', new TextEncoder().encode('<!doctype html><html><body>502 Bad Gateway</body></html>'.repeat(4))],
    ['raw BTF', targetFoo().bytes()],
    ['a gzip file', concat(Uint8Array.of(0x1f, 0x8b, 8, 0), new Uint8Array(100))]
  ])('refuses %s', (_, bytes) => {
    refusedObject(bytes)
  })

  it('names the machine of an ELF file for another one', () => {
    expect(told(refusedObject(elf({ machine: 62, sections: [{ name: '.text', data: new Uint8Array(16) }] }).bytes))).toMatch(/62|x86/i)
  })

  it('names the class of a 32-bit ELF file', () => {
    expect(told(refusedObject(elf({ elfClass: 32, sections: [{ name: '.text', data: new Uint8Array(16) }] }).bytes))).toMatch(/32/)
  })
})

describe.each(BYTE_ORDERS)('truncated objects (%s-endian)', (byteOrder) => {
  const object = richObject(byteOrder)
  const ends = [...new Set(object.sections.flatMap(({ offset, size, headerOffset }) =>
    [offset, offset + 1, offset + size, headerOffset, headerOffset + 63]))]
    .filter(end => end < object.bytes.length)

  it.each(ends)('are refused when they end at byte %i', (end) => {
    const error = refusal('object_invalid', () => parseObject(object.bytes.slice(0, end)))
    expect(told(error)).toMatch(/\d/)
  })
})

describe('section headers', () => {
  const object = buildObject(fooSpec())
  const NAMES = ['raw_tp/a', '.BTF', '.BTF.ext', '.symtab', '.strtab']

  it.each(NAMES)('with an offset past the file are refused: %s', (name) => {
    const at = object.section(name).headerOffset + SH.offset
    for (const offset of [object.bytes.length - 1, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]) {
      expect(told(refusedObject(overwrite(object.bytes, at, 8, offset, 'little')))).toMatch(/\d/)
    }
  })

  it.each(NAMES)('with a size past the file are refused: %s', (name) => {
    const at = object.section(name).headerOffset + SH.size
    for (const size of [object.bytes.length, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]) {
      expect(told(refusedObject(overwrite(object.bytes, at, 8, size, 'little')))).toContain(name)
    }
  })

  it('in a table past the file are refused', () => {
    for (const shoff of [object.bytes.length - 8, object.bytes.length + 8, 0xfffffffffffffff0n]) {
      refusedObject(overwrite(object.bytes, 40, 8, shoff, 'little'))
    }
  })

  it('of another size are refused', () => {
    for (const size of [0, 40, 63]) refusedObject(overwrite(object.bytes, 58, 2, size, 'little'))
  })

  it('in a number that the file cannot hold are refused', () => {
    refusedObject(overwrite(object.bytes, 60, 2, 0xfeff, 'little'))
    const extended = buildObject(fooSpec('little', { header: { extendedNumbering: true } }))
    const headers = Number(new DataView(extended.bytes.buffer).getBigUint64(40, true))
    for (const count of [0xffffffffn, 0xffffffffffffffffn]) refusedObject(overwrite(extended.bytes, headers + SH.size, 8, count, 'little'))
  })

  it('without a usable name table are refused', () => {
    for (const index of [0, 99, 0xff00]) refusedObject(overwrite(object.bytes, 62, 2, index, 'little'))
  })

  it('with a name past the name table are refused, or not found under it', () => {
    const bytes = overwrite(object.bytes, object.section('.BTF').headerOffset, 4, 0xffff, 'little')
    refusedObject(bytes)
  })
})

describe('symbols', () => {
  const object = buildObject(fooSpec())
  const symbol = object.section('.symtab').offset + 24

  it('of a section that does not exist are harmless', () => {
    const relocation = relocate(overwrite(object.bytes, symbol + 6, 2, 0x1234, 'little'), target)
    expect(relocation).toMatchObject({ ok: true, records: [] })
  })

  it('in a table whose size is no multiple of an entry are refused or read up to the last whole one', () => {
    const bytes = overwrite(object.bytes, object.section('.symtab').headerOffset + SH.size, 8, 47, 'little')
    try {
      expect(relocate(bytes, target).records).toEqual([])
    } catch (error) {
      expect(error).toBeInstanceOf(AppError)
    }
  })
})

describe('broken .BTF', () => {
  const { b } = localFoo()
  const whole = b.bytes()

  it.each([0, 1, 8, 23, 24, 40, whole.length - 1])('cut to %i bytes is refused and named', (length) => {
    const error = refusal('object_invalid', () => relocateObject(fooSpec('little', { btf: whole.slice(0, length) }), target))
    expect(told(error)).toContain('.BTF')
  })

  it('with references out of range is refused, with the type that has them', () => {
    const bad = btf()
    bad.ptr(77)
    const error = refusal('object_invalid', () => relocateObject(fooSpec('little', { btf: bad.bytes() }), target))
    expect(told(error)).toMatch(/77/)
  })

  it('with a member count that no file holds is refused', () => {
    const bad = btf()
    bad.raw({ kind: KIND.STRUCT, name: 's', vlen: 0xffffff })
    refusal('object_invalid', () => relocateObject(fooSpec('little', { btf: bad.bytes() }), target))
    refusal('btf_invalid', () => parseBtf(bad.bytes()))
  })
})

describe('broken .BTF.ext', () => {
  const names = (changes: Partial<ObjectSpec>) => told(refusal('object_invalid', () => relocateObject(fooSpec('little', changes), target)))

  it('is named when it is empty', () => {
    expect(names({ btfExt: new Uint8Array() })).toContain('.BTF.ext')
  })

  it('is named, with the subsection, when a count is huge', () => {
    const { foo } = localFoo()
    const message = names({
      ext: { blocks: [{ section: 'raw_tp/a', records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, kind: 0 }], numInfo: 0xffffffff }] }
    })
    expect(message).toContain('.BTF.ext')
    expect(message).toContain('core_relo')
  })

  it.each(['func_info', 'line_info', 'core_relo'] as const)('is named, with the subsection, when %s ends past the section', (part) => {
    const message = names({ ext: { parts: { [part]: { len: 0xfffffff0 } } } })
    expect(message).toContain('.BTF.ext')
    expect(message).toContain(part)
  })

  it('is refused when records are refused that reach into the next subsection', () => {
    names({ ext: { order: ['core_relo', 'func_info', 'line_info'], parts: { core_relo: { len: 36 } } } })
  })
})

describe('broken records', () => {
  const fail = (record: { insnOff?: number, typeId?: number, access?: string, kind?: number }) => {
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      ...fooSpec(),
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0:1', kind: 0, ...record }]
    }, target)
    expect(relocation.records.map(outcomeOf)).toEqual(['failed EINVAL'])
    return relocation.records[0]
  }

  it.each([13, 14, 255, 0x7fffffff, 0xffffffff])('of kind %i fail, and say so', (kind) => {
    expect(fail({ kind })).toMatchObject({ kind: `unknown(${kind})`, program: 'a', section: 'raw_tp/a', insnOff: 0 })
  })

  it.each([11, 0x7fffffff, 0xffffffff])('of type %i fail, and say so', (typeId) => {
    expect(fail({ typeId })?.detail).toContain(String(typeId))
  })

  it.each([1, 2, 3, 5, 0xffffffff])('at byte %i fail, and say so', (insnOff) => {
    const record = fail({ insnOff })
    expect(record?.insnOff).toBe(insnOff)
    expect(record?.detail).toContain(String(insnOff))
  })

  it.each(['', ':', '0:2', '0:0:0', '0:1x', '0:99999999999'])('with access string "%s" fail', (access) => {
    expect(fail({ access })).toMatchObject({ accessSpec: access })
  })

  it.each([
    ['a typedef of itself', (b: ReturnType<typeof btf>) => b.typedef('loop', b.nextId)],
    ['a struct that holds an array of itself', (b: ReturnType<typeof btf>) =>
      b.struct('self', 8, [at('m', 0, b.nextId + 1)]) && b.array(b.nextId - 1, 2)]
  ])('of %s end', (_, make) => {
    const b = btf()
    integers(b)
    make(b)
    const id = b.nextId - 1
    const { relocation } = relocateObject({
      ...fooSpec(), local: b, records: [{ section: 'raw_tp/a', insnOff: 0, typeId: id, access: '0', kind: 'byte_off' }]
    }, target)
    expect(relocation.ok).toBe(false)
  })
})

describe('broken target BTF', () => {
  const whole = targetFoo().bytes()

  it('is refused at every length but the whole', () => {
    for (let length = 0; length < whole.length; length++) refusal('btf_invalid', () => parseBtf(whole.slice(0, length)))
  })

  it('tells where it is broken', () => {
    const bad = targetFoo()
    bad.struct('late', 4, [at('m', 0, 4711)])
    expect(told(refusal('btf_invalid', () => parseBtf(bad.bytes())))).toMatch(/4711/)
  })
})

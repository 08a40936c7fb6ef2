import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anyCharacter } from '../support/any-character.js'
import { assembler } from '../support/asm.js'
import { at, btf, integers, KIND, type BtfBuilder, type BtfLayoutOptions } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { fooSpec, localFoo, richObject, richTarget, targetFoo } from '../support/corpus.js'
import { btfElf, elf } from '../support/elf-writer.js'
import { buildObject, type BuiltObject, type CoreRecord, type ObjectSpec } from '../support/object-builder.js'
import { runs } from '../support/property-runs.js'
import { fooBtf, fooObject, offsetOfY, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith, type Harness, type Problem } from './harness.js'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const EXEC = new Uint8Array(readFileSync(join(EXAMPLES, 'exec.bpf.o')))
const SAMPLE = new Uint8Array(readFileSync(join(EXAMPLES, 'kernels/sample.btf')))

/** No answer may take longer, however bad the input. */
const PATIENCE_MS = 10_000

type Parts = Parameters<typeof form>[0]
type Post = (parts: Parts) => Promise<Response>

/** Posts forms to the real service; every answer is in time. */
async function startPosting (): Promise<{ post: Post, request: Harness['request'] }> {
  const { request } = await startAppWith(await startService(await temporaryFolder()))
  const post: Post = async parts => {
    const started = performance.now()
    const response = await request('/relocate', { method: 'POST', body: form(parts) })
    expect(performance.now() - started).toBeLessThan(PATIENCE_MS)
    return response
  }
  await post({ object: fooObject(), btf: fooBtf() }) // the worker's code is compiled once
  return { post, request }
}

/** Members that say where in the input something is wrong. */
const PLACES = [
  'section', 'offset', 'symbol', 'type_id', 'string_offset', 'limit', 'part', 'byte_order', 'relocations', 'reason', 'machine'
]

/** The problem of an answer that has to be one of the caller's faults and to say where in the input it is. */
async function fault (what: string, response: Response, code: string): Promise<Problem> {
  const text = await response.clone().text()
  expect(response.status, `${what}: ${text}`).toBeGreaterThanOrEqual(400)
  expect(response.status, `${what}: ${text}`).toBeLessThan(500)
  expect(response.headers.get('content-type'), what).toBe('application/problem+json')
  const problem = await problemOf(response)
  expect(problem.code, `${what}: ${text}`).toBe(code)
  expect(problem.detail.length, what).toBeGreaterThan(15)
  expect(PLACES.filter(name => problem[name] !== undefined), `${what} names no place: ${text}`).not.toEqual([])
  return problem
}

/** The foo object with parts of it changed. */
const foo = (changes: Partial<ObjectSpec> = {}): Uint8Array => buildObject(fooSpec('little', changes)).bytes

/** The foo object with one word of a section overwritten. */
function patchedWord (object: BuiltObject, section: string, offset: number, value: number): Uint8Array {
  const bytes = object.bytes.slice()
  new DataView(bytes.buffer).setUint32(object.section(section).offset + offset, value, true)
  return bytes
}

/** The foo object with 8 bytes of a section's header overwritten. */
function patchedHeader (object: BuiltObject, section: string, field: number, value: bigint): Uint8Array {
  const bytes = object.bytes.slice()
  new DataView(bytes.buffer).setBigUint64(object.section(section).headerOffset + field, value, true)
  return bytes
}

const SH_OFFSET = 24
const SH_SIZE = 32

/** The foo object with further types in its BTF. */
function withTypes (add: (builder: BtfBuilder) => void): Uint8Array {
  const { b, foo: type } = localFoo()
  add(b)
  const spec = fooSpec()
  return buildObject({ ...spec, local: b, records: (spec.records ?? []).map(record => ({ ...record, typeId: type })) }).bytes
}

function withOwnBtf (layout: BtfLayoutOptions): Uint8Array {
  const spec = fooSpec()
  return buildObject({ ...spec, btf: spec.local.bytes(layout) }).bytes
}

/** A target in which the foo object finds foo, with further types. */
function targetWith (add: (builder: BtfBuilder) => void): Uint8Array {
  const builder = targetFoo()
  add(builder)
  return builder.bytes()
}

describe('an object that is cut off', () => {
  it('at any boundary of its parts is refused, with the place', async () => {
    const { post } = await startPosting()
    const object = richObject()
    const boundaries = new Set(object.sections.flatMap(({ offset, size, headerOffset }) =>
      [offset, offset + 1, offset + size - 1, offset + size, headerOffset, headerOffset + 63]))
    const lengths = [...boundaries, 1, 4, 16, 63, 64, object.bytes.length - 1].filter(length => length > 0 && length < object.bytes.length)
    expect(lengths.length).toBeGreaterThan(40)
    for (const length of lengths) {
      const problem = await fault(
        `cut at ${length}`, await post({ object: object.bytes.slice(0, length), btf: richTarget().bytes() }), 'object_invalid'
      )
      expect(problem['offset'] ?? problem['section'], `cut at ${length}`).toBeDefined()
    }
  })

  it('is refused for the real example too', async () => {
    const { post } = await startPosting()
    for (let length = 1; length < EXEC.length; length += 211) {
      await fault(`cut at ${length}`, await post({ object: EXEC.slice(0, length), btf: SAMPLE }), 'object_invalid')
    }
  })
})

describe('an object that is none', () => {
  const built = buildObject(fooSpec())
  const asm = assembler('little')
  const withExt = (ext: ObjectSpec['ext']): Uint8Array => foo(ext === undefined ? {} : { ext })
  const cases: ReadonlyArray<readonly [what: string, object: Uint8Array, place: object]> = [
    ['text', new TextEncoder().encode('#include <vmlinux.h>\n'), { offset: 0 }],
    ['raw BTF', fooBtf(), { offset: 0 }],
    ['zeros', new Uint8Array(4096), { offset: 0 }],
    ['an x86 ELF', foo({ header: { machine: 62 } }), { machine: 62, offset: 18 }],
    ['an arm64 ELF', foo({ header: { machine: 183 } }), { machine: 183 }],
    ['a kernel image with BTF', btfElf({ btf: fooBtf() }), { machine: 62 }],
    ['an ELF32', elf({ elfClass: 32, sections: [{ name: '.BTF', data: fooBtf() }] }).bytes, { offset: 4 }],
    ['an ELF of no class', (() => { const bytes = built.bytes.slice(); bytes[4] = 3; return bytes })(), { offset: 4 }],
    ['an ELF of no byte order', foo({ header: { data: 7 } }), { offset: 5 }],
    ['a linked program', foo({ header: { type: 2 } }), { offset: 16 }],
    ['an ELF without a section table', foo({ header: { shoff: 0 } }), { offset: 40 }],
    ['a section table past the end', foo({ header: { shoff: 1n << 40n } }), { offset: 40 }],
    ['a section table at the end of numbers', foo({ header: { shoff: (1n << 64n) - 1n } }), { offset: 40 }],
    ['section headers of another size', foo({ header: { shentsize: 40 } }), { offset: 58 }],
    ['65535 sections', foo({ header: { shnum: 0xffff } }), { limit: 4096 }],
    ['a name table that does not exist', foo({ header: { shstrndx: 99 } }), { section: 99 }],
    ['a section that starts past the end', patchedHeader(built, '.BTF', SH_OFFSET, 1n << 32n), { section: '.BTF' }],
    ['a section that starts at the end of numbers', patchedHeader(built, '.BTF', SH_OFFSET, (1n << 64n) - 1n), { section: '.BTF' }],
    ['a section that ends past the end', patchedHeader(built, '.BTF', SH_SIZE, 1n << 32n), { section: '.BTF' }],
    ['a section whose end wraps around', patchedHeader(built, '.BTF', SH_SIZE, (1n << 64n) - 8n), { section: '.BTF' }],
    ['no .BTF', foo({ btf: null }), { section: '.BTF' }],
    ['an empty .BTF', foo({ btf: new Uint8Array() }), { section: '.BTF' }],
    ['a .BTF of another byte order', foo({ btf: localFoo('big').b.bytes() }), { section: '.BTF' }],
    ['an empty .BTF.ext', foo({ btfExt: new Uint8Array() }), { section: '.BTF.ext', offset: 0 }],
    [
      'a .BTF.ext with a header and nothing else',
      foo({ btfExt: concat(Uint8Array.of(0x9f, 0xeb, 1, 0, 32, 0, 0, 0), new Uint8Array(24)) }), { section: '.BTF.ext', offset: 4 }
    ],
    ['a .BTF.ext without magic', withExt({ magic: 0x1234 }), { section: '.BTF.ext', offset: 0 }],
    ['a .BTF.ext of a future version', withExt({ version: 2 }), { section: '.BTF.ext', offset: 2 }],
    ['a .BTF.ext with flags', withExt({ flags: 1 }), { section: '.BTF.ext', offset: 3 }],
    ['a .BTF.ext with a header that is too short', withExt({ hdrLen: 16 }), { section: '.BTF.ext' }],
    [
      'core_relo that starts past the end', withExt({ parts: { core_relo: { off: 0xfffffff0 } } }),
      { section: '.BTF.ext', subsection: 'core_relo' }
    ],
    [
      'core_relo that ends past the end', withExt({ parts: { core_relo: { len: 0x7ffffff0 } } }),
      { section: '.BTF.ext', subsection: 'core_relo' }
    ],
    ['core_relo at an odd offset', withExt({ parts: { core_relo: { off: 2 } } }), { section: '.BTF.ext', subsection: 'core_relo' }],
    ['core_relo of 2 bytes', withExt({ parts: { core_relo: { len: 2 } } }), { section: '.BTF.ext', subsection: 'core_relo' }],
    [
      'func_info that ends past the end', withExt({ parts: { func_info: { len: 0x7ffffff0 } } }),
      { section: '.BTF.ext', subsection: 'func_info' }
    ],
    ['line_info at an odd offset', withExt({ parts: { line_info: { off: 1 } } }), { section: '.BTF.ext', subsection: 'line_info' }],
    ['records that are too short', withExt({ parts: { core_relo: { recordSize: 12 } } }), { section: '.BTF.ext', subsection: 'core_relo' }],
    ['records of no size', withExt({ parts: { core_relo: { recordSize: 0 } } }), { section: '.BTF.ext', subsection: 'core_relo' }],
    [
      'records of an unaligned size', withExt({ parts: { core_relo: { recordSize: 18 } } }),
      { section: '.BTF.ext', subsection: 'core_relo' }
    ],
    [
      'a block of 4 billion records', withExt({ blocks: [{ section: 'raw_tp/a', records: [], numInfo: 0xffffffff }] }),
      { section: '.BTF.ext', subsection: 'core_relo' }
    ],
    [
      'a block of no records', withExt({ blocks: [{ section: 'raw_tp/a', records: [], numInfo: 0 }] }),
      { section: '.BTF.ext', subsection: 'core_relo' }
    ],
    ['a block whose section name is past the strings', withExt({
      blocks: [{ section: 'raw_tp/a', sectionNameOff: 0xffffff, records: [{ section: 'raw_tp/a', insnOff: 0, typeId: 2, kind: 0 }] }]
    }), { section: '.BTF.ext' }],
    [
      'a function that ends past its section',
      foo({ programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.exit()), symbolSize: 1 << 20 }] }), {}
    ],
    ['a function that starts at the end of numbers', foo({
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.exit()), symbolValue: (1n << 64n) - 8n }]
    }), {}],
    ['own types of no kind', withTypes(b => { b.raw({ kind: 31 }) }), { section: '.BTF' }],
    ['own types that are cut off', withOwnBtf({ typeLen: 20, strOff: 1000 }), { section: '.BTF' }],
    ['own types of a huge member count', patchedWord(built, '.BTF', 24 + 16 * 9 + 4, 0x0400ffff), { section: '.BTF' }],
    ['own types that end past the data', withOwnBtf({ typeLen: 0x7ffffff0 }), { section: '.BTF' }],
    ['own strings that end past the data', withOwnBtf({ strLen: 0x7ffffff0 }), { section: '.BTF' }],
    ['own strings without an end', withOwnBtf({ strings: new TextEncoder().encode('\0int') }), { section: '.BTF' }],
    ['own types that refer past the last', withTypes(b => { b.ptr(1_000_000) }), { section: '.BTF' }]
  ]

  it('is refused, and the problem says where in the input', async () => {
    const { post } = await startPosting()
    for (const [what, object, place] of cases) {
      const problem = await fault(what, await post({ object, btf: fooBtf() }), 'object_invalid')
      expect(problem, what).toMatchObject(place)
    }
  })

  it('is refused as a raw body in the same words', async () => {
    const { post, request } = await startPosting()
    expect((await request('/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic/btf', { method: 'PUT', body: fooBtf() })).status).toBe(201)
    for (const [what, object] of cases) {
      const { request_id: _one, ...asBody } = await fault(what, await request(
        '/relocate?kernel_release=5.4.0-42-generic', { method: 'POST', body: object.length === 0 ? new Uint8Array(1) : object }
      ), 'object_invalid')
      const { request_id: _other, ...asPart } = await fault(what, await post({ object, btf: fooBtf() }), 'object_invalid')
      expect(asBody, what).toEqual(asPart)
    }
  })
})

describe('a relocation that cannot be one', () => {
  const good: CoreRecord = { section: 'raw_tp/a', insnOff: 0, typeId: localFoo().foo, access: '0:1', kind: 'byte_off' }
  const cases: ReadonlyArray<readonly [what: string, changes: Partial<CoreRecord>]> = [
    ['of kind 13', { kind: 13 }],
    ['of kind 4 billion', { kind: 0xffffffff }],
    ['of a type that does not exist', { typeId: 100_000 }],
    ['of type 4 billion', { typeId: 0xffffffff }],
    ['at an unaligned offset', { insnOff: 4 }],
    ['with an access string past the strings', { accessOff: 0xffffff }],
    ['with an access string that is none', { access: 'x:y' }],
    ['with an access string of a member that does not exist', { access: '0:99' }],
    ['with an access string without end', { access: Array.from({ length: 100 }, () => '0').join(':') }],
    ['with a number that is too large', { access: '0:99999999999999999999' }]
  ]

  it('is refused with the place', async () => {
    const { post } = await startPosting()
    for (const [what, changes] of cases) {
      const { relocations } = await fault(
        what, await post({ object: foo({ records: [{ ...good, ...changes }] }), btf: fooBtf() }), 'relocation_failed'
      )
      expect(relocations, what).toMatchObject([
        { status: 'failed', detail: expect.stringMatching(/^.{15,}$/s), places: [{ section: 'raw_tp/a', instruction: 0 }] }
      ])
    }
  })

  it('because it is in no function is left out, as libbpf does, and the code stays as it was', async () => {
    const { post } = await startPosting()
    for (const changes of [{ insnOff: 4096 }, { insnOff: 0xfffffff8 }, { section: 'kprobe/none' }]) {
      const response = await post({ object: foo({ records: [{ ...good, ...changes }] }), btf: fooBtf() })
      expect(response.headers.get('corelo-relocations'), JSON.stringify(changes)).toBe('resolved=0, absent=0, poisoned=0')
      expect(offsetOfY({ bytes: new Uint8Array(await response.arrayBuffer()) })).toBe(4)
    }
  })

  it('comes with those around it that fail as well', async () => {
    const { post } = await startPosting()
    const asm = assembler('little')
    const object = foo({
      programs: [
        { section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.ldx('w', 2, 1, 4), asm.ldx('w', 2, 1, 4), asm.exit()) }
      ],
      records: [{ ...good, access: '0:99' }, { ...good, insnOff: 8 }, { ...good, insnOff: 16, access: '0:77' }]
    })
    const { relocations } = await fault('two bad records', await post({ object, btf: fooBtf() }), 'relocation_failed')
    expect(relocations).toMatchObject([
      { status: 'failed', places: [{ instruction: 0 }] }, { status: 'failed', places: [{ instruction: 2 }] }
    ])
  })
})

describe('types that go in circles or multiply', () => {
  const circles: ReadonlyArray<readonly [string, (b: BtfBuilder) => void]> = [
    ['a typedef of itself', b => { b.typedef('loop', b.nextId) }],
    ['two typedefs of each other', b => { b.typedef('one', b.nextId + 1); b.typedef('other', b.nextId - 1) }],
    ['const of volatile of const', b => { b.const(b.nextId + 1); b.volatile(b.nextId - 1) }],
    ['an array of itself', b => { b.array(b.nextId, 2, 1) }],
    ['a struct that contains itself', b => { b.struct('self', 8, [at('me', 0, b.nextId)]) }],
    [
      'structs that contain each other', b => { b.struct('a', 8, [at('b', 0, b.nextId + 1)]); b.struct('b', 8, [at('a', 0, b.nextId - 1)]) }
    ],
    ['foo through a typedef of itself', b => { b.struct('foo', 8, [at('y', 0, b.nextId + 1)]); b.typedef('loop', b.nextId) }],
    ['anonymous members that nest without end', b => { b.struct('foo', 8, [at('', 0, b.nextId)]) }],
    ['anonymous unions that double sixty times', b => {
      for (let i = 0; i < 60; i++) b.union('', 8, [at('', 0, b.nextId + 1), at('', 0, b.nextId + 1)])
      b.struct('foo', 8, [at('y', 0, 1), at('', 0, b.nextId - 60)])
    }],
    ['arrays of arrays of 4 billion', b => {
      b.array(1, 0xffffffff, 1)
      for (let i = 0; i < 40; i++) b.array(b.nextId - 1, 0xffffffff, 1)
    }]
  ]

  it('in the kernel are answered or refused in time', async () => {
    const { post } = await startPosting()
    for (const [what, add] of circles) {
      const response = await post({ object: fooObject(), btf: targetWith(add) })
      if (response.status !== 200) await fault(what, response, (await problemOf(response.clone())).code)
    }
  })

  it('in the object are answered or refused in time, relocated or not', async () => {
    const { post } = await startPosting()
    for (const [what, add] of circles) {
      const untouched = await post({ object: withTypes(add), btf: fooBtf() })
      if (untouched.status !== 200) await fault(what, untouched, (await problemOf(untouched.clone())).code)
      const { b } = localFoo()
      const first = b.nextId
      add(b)
      for (let typeId = first; typeId < Math.min(b.nextId, first + 3); typeId++) {
        for (const [kind, access] of [['byte_off', '0:0'], ['byte_sz', '0'], ['type_matches', '0'], ['type_size', '0']] as const) {
          const object = foo({ local: b, records: [{ section: 'raw_tp/a', insnOff: 0, typeId, access, kind }] })
          const response = await post({ object, btf: targetWith(add) })
          if (response.status !== 200) await fault(`${kind} of ${what}`, response, (await problemOf(response.clone())).code)
        }
      }
    }
  })
})

describe('BTF that is none', () => {
  const target = targetFoo()
  const flawed = (add: (b: BtfBuilder) => void): Uint8Array => targetWith(add)
  const cases: ReadonlyArray<readonly [what: string, bytes: Uint8Array]> = [
    ['text', new TextEncoder().encode('not BTF at all, but long enough for a header')],
    ['one byte', Uint8Array.of(0x9f)],
    ['an eBPF object without .BTF', foo({ btf: null })],
    ['ELF whose .BTF is empty', btfElf({ btf: new Uint8Array() })],
    ['ELF that is cut off', btfElf({ btf: fooBtf() }).slice(0, 200)],
    ['another magic', target.bytes({ magic: 0x1234 })],
    ['a header that is too short', target.bytes({ hdrLen: 8 })],
    [
      'a header that is longer than the data',
      concat(target.bytes().slice(0, 4), Uint8Array.of(0xf0, 0xff, 0xff, 0x7f), target.bytes().slice(8))
    ],
    ['types at an odd offset', target.bytes({ typeOff: 2 })],
    ['types that end past the strings', target.bytes({ typeLen: 0x7ffffff0 })],
    ['types whose end wraps around', target.bytes({ typeOff: 0xfffffffc, typeLen: 0xfffffffc })],
    ['strings past the end', target.bytes({ strOff: 0x7ffffff0 })],
    ['strings longer than the data', target.bytes({ strLen: 0xffffffff })],
    ['no strings', target.bytes({ strLen: 0 })],
    ['strings without an end', target.bytes({ strings: new TextEncoder().encode('\0int') })],
    ['strings that do not start empty', target.bytes({ strings: new TextEncoder().encode('int\0') })],
    ['another byte order than the object', targetFoo('big').bytes()],
    ['a type of no kind', flawed(b => { b.raw({ kind: 31 }) })],
    ['a type that refers past the last', flawed(b => { b.ptr(1_000_000) })],
    ['a type that refers to 4 billion', flawed(b => { b.typedef('far', 0xffffffff) })],
    [
      'a struct of 65535 members that are not there',
      flawed(b => { b.raw({ name: 'huge', kind: KIND.STRUCT, vlen: 0xffff, sizeOrType: 8 }) })
    ],
    ['an enum of 65535 values that are not there', flawed(b => { b.raw({ name: 'huge', kind: KIND.ENUM, vlen: 0xffff, sizeOrType: 4 }) })],
    ['a name past the strings', flawed(b => { b.raw({ nameOff: 0xffffff, kind: KIND.FWD }) })],
    [
      'a member whose name is past the strings',
      flawed(b => { b.raw({ name: 's', kind: KIND.STRUCT, vlen: 1, sizeOrType: 8, tail: [0xffffff, 1, 0] }) })
    ],
    ['a type that is cut off', target.bytes({ afterTypes: new Uint8Array(8) })]
  ]

  it('as a part is refused, and the problem says where in the input', async () => {
    const { post } = await startPosting()
    for (const [what, bytes] of cases) await fault(what, await post({ object: fooObject(), btf: bytes }), 'btf_invalid')
  })

  it('as a module after good vmlinux BTF is refused too', async () => {
    const { post } = await startPosting()
    const base = targetFoo()
    integers(base)
    const split = btf({ base })
    split.ptr(1_000_000)
    await fault('split BTF', await post({ object: fooObject(), btf: [base.bytes(), split.bytes()] }), 'btf_invalid')
    for (const [what, bytes] of cases.slice(0, 8)) {
      await fault(what, await post({ object: fooObject(), btf: [fooBtf(), bytes] }), 'btf_invalid')
    }
  })

  it('is not stored under a kernel', async () => {
    const { request } = await startPosting()
    const path = '/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic/btf'
    for (const [what, body] of cases.filter(([what]) => what !== 'another byte order than the object')) {
      await fault(
        what, await request(path, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } }), 'btf_invalid'
      )
    }
    expect((await request(path)).status).toBe(404)
  })
})

interface Edit { readonly how: 'byte' | 'word' | 'cut' | 'insert', readonly at: number, readonly value: number }

describe('whatever comes', () => {
  const edit: fc.Arbitrary<Edit> = fc.record({
    how: fc.constantFrom('byte', 'word', 'cut', 'insert'),
    at: fc.nat(1_000_000),
    value: fc.oneof(fc.constantFrom(0, 1, 13, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 0x0400ffff), fc.nat(0xffffffff))
  })
  const edits = fc.array(edit, { maxLength: 3 })
  const apply = (bytes: Uint8Array, { how, at: place, value }: Edit): Uint8Array => {
    if (bytes.length < 4) return bytes
    const position = place % bytes.length
    if (how === 'cut') return bytes.slice(0, position)
    if (how === 'insert') return concat(bytes.subarray(0, position), Uint8Array.of(value & 0xff), bytes.subarray(position))
    const copy = bytes.slice()
    if (how === 'byte') copy[position] = value & 0xff
    else new DataView(copy.buffer).setUint32(Math.min(position & ~3, copy.length - 4), value, true)
    return copy
  }
  const damaged = (whole: Uint8Array, list: readonly Edit[]): Uint8Array => list.reduce(apply, whole)

  const text = fc.oneof(fc.string({ maxLength: 40, unit: anyCharacter }), fc.constantFrom(
    '', '..', 'a/b/c/d', '5.4.0-42-generic', 'x'.repeat(300), '\0', 'fail', `sha256:${'0'.repeat(64)}`, '%00', '-1', '{}', '__proto__'
  ))
  const field = fc.tuple(fc.constantFrom(
    'kernel_release', 'arch', 'distro', 'distro_version', 'kernel_version', 'btf_sha256', 'modules', 'on_unresolved', 'object', 'unknown',
    '__proto__', 'constructor'
  ), text)
  const inputs = fc.record({
    pair: fc.constantFrom<readonly [Uint8Array, Uint8Array]>(
      [EXEC, SAMPLE], [richObject().bytes, richTarget().bytes()], [fooObject(), fooBtf()]
    ),
    objectEdits: edits,
    btfEdits: edits,
    fields: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Array<[string, string]>>([]) },
      { weight: 1, arbitrary: fc.array(field, { minLength: 1, maxLength: 2 }) }
    ),
    accept: fc.constantFrom('*/*', 'application/json', 'multipart/form-data'),
    isRaw: fc.boolean()
  })

  it('is answered or refused, never a failure of ours and never late', async () => {
    const { request } = await startPosting()
    expect((await request('/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic/btf', { method: 'PUT', body: SAMPLE })).status).toBe(201)
    await fc.assert(fc.asyncProperty(inputs, async ({ pair, objectEdits, btfEdits, fields, accept, isRaw }) => {
      const object = damaged(pair[0], objectEdits)
      const query = new URLSearchParams(fields.length === 0
        ? [['kernel_release', '5.4.0-42-generic']]
        : fields.filter(([name]) => name !== 'object'))
      const parts = form({ object, btf: damaged(pair[1], btfEdits) })
      for (const [name, value] of fields) parts.append(name, value)
      const started = performance.now()
      const response = isRaw
        ? await request(`/relocate?${query.toString()}`, { method: 'POST', body: object, headers: { accept } })
        : await request('/relocate', { method: 'POST', body: parts, headers: { accept } })
      const body = await response.text()
      expect(performance.now() - started).toBeLessThan(PATIENCE_MS)
      expect(response.status, body.slice(0, 500)).toBeLessThan(500)
      if (response.status === 200) return
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(JSON.parse(body)).toMatchObject({
        status: response.status, code: expect.any(String), detail: expect.stringMatching(/^.{15,}$/s), request_id: expect.any(String)
      })
    }), runs(20))
  })
})

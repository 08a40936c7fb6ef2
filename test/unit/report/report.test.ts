import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { buildReport, describeRelocation, judgeRelocation, type BuiltReport, type ReportOptions } from '../../../src/report/index.js'
import type { ReportMembers } from '../../../src/wire/report.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { SHT } from '../../support/elf-writer.js'
import { buildObject, type CoreRecord, type ObjectSpec } from '../../support/object-builder.js'

const asm = assembler('little')
const SECTION = 'raw_tp/a'

/** A program that reads `count` times the field that the kernel has, and as often the one that it has not, in turn. */
function reads (count: number, spec: Partial<ObjectSpec> = {}): { object: Uint8Array, kernel: Uint8Array } {
  const local = btf()
  const { int } = integers(local)
  const foo = local.struct('foo', 8, [at('here', 0, int), at('gone', 4, int)])
  const records: CoreRecord[] = []
  const code: Uint8Array[] = []
  for (let i = 0; i < 2 * count; i++) {
    code.push(asm.mov(1, i % 2 === 0 ? 0 : 4))
    records.push({ section: SECTION, insnOff: 8 * i, typeId: foo, access: `0:${i % 2}`, kind: 'byte_off' })
  }
  const kernel = btf()
  kernel.struct('foo', 16, [at('here', 8, integers(kernel).int)])
  return {
    object: buildObject({ local, programs: [{ section: SECTION, name: 'a', code: concat(...code, asm.exit()) }], records, ...spec }).bytes,
    kernel: kernel.bytes()
  }
}

function build ({ object: bytes, kernel }: { object: Uint8Array, kernel: Uint8Array }, options: ReportOptions = {}): BuiltReport {
  const object = parseObject(bytes)
  const relocation = relocate(object, parseBtf(kernel))
  return buildReport(object, relocation, judgeRelocation(object, relocation), options)
}

function parsed ({ json }: BuiltReport): ReportMembers { return JSON.parse(`{${new TextDecoder().decode(json().members)}}`) }

describe('relocations that are equal but for their place', () => {
  it('are one entry each, in the order of their first place', () => {
    const { report } = build(reads(3))
    expect(report.relocations.map(({ access, status, old, new: now, places, places_total: total }) =>
      [access, status, old, now, places.map(({ instruction }) => instruction), total])).toEqual([
      ['foo.here', 'resolved', 0, 8, [0, 2, 4], 3],
      ['foo.gone', 'poisoned', 4, null, [1, 3, 5], 3]
    ])
    expect(report.counts).toEqual({ resolved: 3, absent: 0, poisoned: 3 })
    expect(report.programs).toMatchObject([{ name: 'a', relocations: 6 }])
  })

  it('are told apart and put together where many types have one name', () => {
    const local = btf()
    const { int } = integers(local)
    const layouts = Array.from({ length: 24 }, (_, i) => i % 12)
    const types = layouts.map(layout => local.struct('foo', 64, [at('here', 4 * layout, int)]))
    const kernel = btf()
    kernel.struct('foo', 16, [at('here', 8, integers(kernel).int)])
    const records = types.map((typeId, i): CoreRecord => ({ section: SECTION, insnOff: 8 * i, typeId, access: '0:0', kind: 'byte_off' }))
    const code = concat(...layouts.map(layout => asm.mov(1, 4 * layout)), asm.exit())
    const { report } = build({
      object: buildObject({ local, programs: [{ section: SECTION, name: 'a', code }], records }).bytes, kernel: kernel.bytes()
    })
    expect(report.relocations.map(({ old, places }) => [old, places.map(({ instruction }) => instruction)]))
      .toEqual(Array.from({ length: 12 }, (_, i) => [4 * i, [i, i + 12]]))
  })

  it('list 20 places where they have a value and 1,000 where they have none, and all of them when asked', () => {
    const input = reads(1200)
    const some = build(input)
    expect(some.report.relocations.map(({ places, places_total: total }) => [places.length, total])).toEqual([[20, 1200], [1000, 1200]])
    expect(some.hasMorePlaces).toBe(true)
    const all = build(input, { places: 'all' })
    expect(all.report.relocations.map(({ places, places_total: total }) => [places.length, total])).toEqual([[1200, 1200], [1200, 1200]])
    expect(all.hasMorePlaces).toBe(false)
  })
})

describe('the bytes of a report', () => {
  it('say what the report says', () => {
    const built = build(reads(3))
    const { byte_order: _, changed_instructions: __, ...members } = built.report
    expect(parsed(built)).toEqual(members)
    expect(JSON.parse(new TextDecoder().decode(built.json().failing))).toEqual(built.report.relocations.filter(({ status }) =>
      status === 'poisoned'))
    expect(built.failure).toEqual({ records: 3, first: 'a, instruction 1: struct foo has no member gone in this kernel.' })
  })

  it('are the same whether there surely is room for them or each part has to be counted', () => {
    const input = reads(9)
    const whole = build(input, { places: 'all' })
    const bytes = whole.json().members.length
    const counted = build(input, { places: 'all', maxBytes: 65 * 1024 + bytes })
    expect(bytes).toBeGreaterThan(1000)
    expect({ ...counted, json: counted.json() }).toEqual({ ...whole, json: whole.json() })
  })

  it('stay within their bound: fewer places first, and those without a value last', () => {
    const bound = 160 * 1024
    const built = build(reads(1200), { places: 'all', maxBytes: bound })
    expect(built.json().members.length).toBeLessThanOrEqual(bound)
    const [here, gone] = parsed(built).relocations.map(({ places }) => places.length)
    expect(parsed(built).relocations.map(({ places_total: total }) => total)).toEqual([1200, 1200])
    expect(here).toBeLessThan(1200)
    expect(gone).toBeGreaterThan(0)
  })

  it('count in a warning what is left out', () => {
    const local = btf()
    const { int } = integers(local)
    const members = Array.from({ length: 400 }, (_, i) => at(`member_${i}_${'x'.repeat(200)}`, 4 * i, int))
    const foo = local.struct('foo', 1600, members)
    const kernel = btf()
    kernel.struct('foo', 1600, Array.from({ length: 400 }, (_, i) => at(`member_${i}_${'x'.repeat(200)}`, 4 * i, integers(kernel).int)))
    const records = members.map((_, i): CoreRecord =>
      ({ section: SECTION, insnOff: 8 * i, typeId: foo, access: `0:${i}`, kind: 'byte_off' }))
    const code = concat(...members.map((_, i) => asm.mov(1, 4 * i)), asm.exit())
    const built = build(
      { object: buildObject({ local, programs: [{ section: SECTION, name: 'a', code }], records }).bytes, kernel: kernel.bytes() },
      { maxBytes: 128 * 1024 }
    )
    const { relocations, warnings, counts } = parsed(built)
    expect(counts).toEqual({ resolved: 400, absent: 0, poisoned: 0 })
    expect(relocations.length).toBeLessThan(400)
    expect(warnings).toEqual([{
      code: 'report_truncated',
      message: `${400 - relocations.length} relocations are left out, because a report has at most 131072 bytes; the counts include them.`
    }])
  })

  it('have texts of at most 500 characters, whatever the names of the object', () => {
    const name = 'n'.repeat(40_000)
    const local = btf()
    const foo = local.struct('foo', 4, [at(name, 0, integers(local).int)])
    const kernel = btf()
    kernel.struct('foo', 4, [at('x', 0, integers(kernel).int)])
    const records: CoreRecord[] = [{ section: SECTION, insnOff: 0, typeId: foo, access: '0:0', kind: 'byte_off' }]
    const { report: { relocations: [entry] } } = build({
      object: buildObject({ local, programs: [{ section: SECTION, name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }], records }).bytes,
      kernel: kernel.bytes()
    })
    expect(entry?.access).toMatch(/^foo\.n{495}…$/)
    expect(entry?.detail?.length).toBe(500)
  })
})

describe('two names of one function', () => {
  it('have the same relocations and verdict', () => {
    const input = reads(
      2,
      {
        programs: [{
          section: SECTION, name: 'a', aliases: ['b'], code: concat(asm.mov(1, 0), asm.mov(1, 4), asm.mov(1, 0), asm.mov(1, 4), asm.exit())
        }]
      }
    )
    const { report } = build(input)
    const [first, second] = report.programs
    expect(report.programs.map(({ name }) => name).sort()).toEqual(['a', 'b'])
    expect([first?.verdict, first?.assumes, first?.relocations]).toEqual([second?.verdict, second?.assumes, second?.relocations])
    expect(first?.relocations).toBe(4)
    expect(report.relocations[0]?.places.map(({ program, instruction }) => `${program} ${instruction}`).sort()).toEqual([
      'a 0', 'a 2', 'b 0', 'b 2'
    ])
    expect(report.relocations[0]?.places_total).toBe(4)
  })
})

describe('an object with nothing to relocate', () => {
  const pass = (spec: Partial<ObjectSpec>) => {
    const { object, kernel } = reads(0, spec)
    const parsedObject = parseObject(object)
    const relocation = relocate(parsedObject, parseBtf(kernel))
    return { warnings: describeRelocation(parsedObject, relocation).warnings, patches: relocation.patches?.offsets.length }
  }
  const code = concat(asm.mov(1, 0), asm.exit())

  it('is passed through with a warning: without records, without .BTF.ext, without .BTF', () => {
    for (const [spec, why] of [
      [{}, '.BTF.ext lists none'], [{ btfExt: null }, 'it has no .BTF.ext section'], [{ btf: null, btfExt: null }, 'it has no .BTF section']
    ] as const) {
      expect(pass({ programs: [{ section: SECTION, name: 'a', code }], ...spec }), why).toEqual({
        warnings: [{
          code: 'nothing_to_relocate',
          message: expect.stringContaining(`The object has no CO-RE relocations (${why}). It is passed through unchanged.`)
        }],
        patches: 0
      })
    }
  })

  it('may have functions that libbpf refuses, such as static ones, which other loaders take', () => {
    expect(pass({ programs: [{ section: SECTION, name: 'a', code, binding: 'local' }] }).warnings).toMatchObject([
      { code: 'nothing_to_relocate' }
    ])
    expect(() => parseObject(reads(1, { programs: [{ section: SECTION, name: 'a', code, binding: 'local' }] }).object)).toThrow(/is static/)
  })

  it('was relocated already where the records are still there, behind a length of 0', () => {
    const { object, kernel } = reads(2)
    const first = parseObject(object)
    const emptied = object.slice()
    new DataView(emptied.buffer).setUint32(first.extOffset + 28, 0, true)
    const again = parseObject(emptied)
    const relocation = relocate(again, parseBtf(kernel))
    expect(relocation.patches?.offsets.length).toBe(0)
    expect(describeRelocation(again, relocation).warnings).toMatchObject([{ code: 'already_relocated' }])
  })
})

describe('loads_without_kernel_btf', () => {
  const loads = (section: string, extra: Partial<ObjectSpec> = {}) => build(reads(
    0, { programs: [{ section, name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }], ...extra }
  )).report.loads_without_kernel_btf

  it('is false for a program that attaches by BTF, unless libbpf loads it only when asked', () => {
    expect([loads('raw_tp/a'), loads('kprobe/a'), loads('fentry/a'), loads('?fentry/a'), loads('lsm/a')]).toEqual([
      true, true, false, true, false
    ])
  })

  it('is false for the map of a kernel interface', () => {
    expect(loads('raw_tp/a', { sectionsAfter: [{ name: '.struct_ops', type: SHT.PROGBITS, data: new Uint8Array(8) }] })).toBe(false)
  })

  it('is false for a kernel function or a typed kernel variable anywhere, and true for an untyped one', () => {
    const withKsym = (make: (local: ReturnType<typeof btf>) => number): boolean => {
      const local = btf()
      local.datasec('.ksyms', 0, [[make(local), 0, 0]])
      return loads('raw_tp/a', { local })
    }
    expect(withKsym(local => local.func('bpf_task_acquire', local.funcProto(0), 2))).toBe(false)
    expect(withKsym(local => local.var('runqueues', local.int('int', 4), 2))).toBe(false)
    expect(withKsym(local => local.var('bpf_prog_active', local.const(0), 2))).toBe(true)
  })
})

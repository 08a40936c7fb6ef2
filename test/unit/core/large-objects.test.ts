import { beforeAll, describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate, type Relocation } from '../../../src/core/index.js'
import { LIMITS } from '../../../src/limits.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { buildObject } from '../../support/object-builder.js'
import { largeObject } from '../../support/large-object.js'
import { explain, relocateObject } from '../../support/scenario.js'

/** A kernel of 40 structs with 300 members each. */
function kernelBtf () {
  const b = btf()
  const { int, ullong } = integers(b)
  for (let i = 0; i < 40; i++) {
    b.struct(`struct_${i}`, 2400, Array.from({ length: 300 }, (_, j) => at(`member_${j}_of_${i}`, j * 8, j % 2 === 0 ? int : ullong)))
  }
  return parseBtf(b.bytes())
}

const kernel = kernelBtf()

describe.each([
  ['of a tracer: 35,000 records, 170 accesses', 35_000, 170],
  ['that reads one late member 2,000 times', 2000, 1],
  ['of 1,000 accesses that all differ', 1000, 1000]
])('an object %s', (_, records, distinct) => {
  let object: ReturnType<typeof parseObject>
  let relocation: Relocation
  beforeAll(() => {
    object = parseObject(largeObject({ kernel, records, distinct }))
    relocation = relocate(object, kernel)
  })

  it('is relocated', () => {
    expect(relocation.counts).toEqual({ resolved: records, absent: 0, poisoned: 0, failed: 0 })
  })

  it('shares one resolution between equal records', () => {
    expect(new Set(relocation.records.map(({ resolution }) => resolution)).size).toBe(distinct)
  })
})

it('reads every member of a struct of 16,000, which no walk could afford', () => {
  const count = 16_000
  const local = btf()
  const { int } = integers(local)
  const members = Array.from({ length: count }, (_, i) => at(`m${i}`, i * 4, int))
  const id = local.struct('big', count * 4, members)
  const target = btf()
  const targetInt = integers(target).int
  target.struct('big', count * 4 + 8, members.map(({ name }, i) => at(name, 8 + (count - 1 - i) * 4, targetInt)))
  const asm = assembler('little')
  const section = 'raw_tp/a'
  const code = Buffer.concat([...members.map((_, i) => asm.mov(1, i * 4)), asm.exit()])
  const records = members.map((_, i) => ({ section, insnOff: i * 8, typeId: id, kind: 'byte_off', access: `0:${i}` } as const))
  const relocation = relocate(buildObject({ local, programs: [{ section, name: 'a', code }], records }).bytes, parseBtf(target.bytes()))
  expect(relocation.counts.resolved).toBe(count)
  expect(relocation.records[1]?.newValue).toBe(BigInt(8 + (count - 2) * 4))
})

it('searches for reasons with steps of their own: where these do not do, it says so and throws nothing', () => {
  const local = btf()
  const type = local.struct('struct_7', 4, [at('missing', 0, integers(local).int)])
  const { object, relocation } = relocateObject({
    local,
    programs: [{ section: 'raw_tp/a', name: 'a', code: Buffer.concat([assembler('little').mov(1, 0), assembler('little').exit()]) }],
    records: [{ section: 'raw_tp/a', insnOff: 0, typeId: type, kind: 'byte_off', access: '0:0' }]
  }, kernel)
  const [record] = relocation.records
  if (record === undefined) throw new Error('there is no record')
  expect(explain(object, relocation, record)).toMatchObject({ reason: 'field_missing' })
  expect(explain(object, relocation, record, 100)).toMatchObject({
    reason: 'work_limit', detail: expect.stringContaining('struct_7.missing')
  })
})

it('takes as many records as the limit says', () => {
  expect(LIMITS.coreRelocations).toBeGreaterThan(7 * 34_752)
})

it('refuses access strings that lie within each other and so are longer together than their table bounds', () => {
  const local = btf()
  const id = local.struct('struct_1', 4, [at('a', 0, integers(local).int)])
  const section = 'raw_tp/a'
  const asm = assembler('little')
  const count = 6000
  const code = Buffer.concat([...Array.from({ length: count }, () => asm.mov(1, 0)), asm.exit()])
  const long = '0:'.repeat(4000) + '0'
  const first = local.string(long)
  const records = Array.from({ length: count }, (_, i) =>
    ({ section, insnOff: i * 8, typeId: id, kind: 'byte_off', accessOff: first + i } as const))
  const object = buildObject({ local, programs: [{ section, name: 'a', code }], records }).bytes
  expect(() => relocate(object, kernel)).toThrow(/access strings of the object's relocations have more than 16777216 bytes/)
})

import { describe, expect, it } from 'vitest'
import { fnv1a } from '../../../src/bytes/hash.js'
import { BtfKind } from '../../../src/btf/constants.js'
import { findCandidates } from '../../../src/btf/find.js'
import { newWork } from '../../../src/btf/work.js'
import { parseBtf } from '../../../src/core/index.js'
import { LIMITS } from '../../../src/limits.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { collidingNames } from '../../support/colliding-names.js'
import { buildObject, type CoreRecord } from '../../support/object-builder.js'
import { relocate } from '../../support/relocate.js'
import { refusal } from '../../support/scenario.js'

const NAMES = collidingNames(12)
const SECTION = 'raw_tp/a'

/** A kernel with a struct of each name, 400 KB of BTF for short ones. */
function structsOf (names: readonly string[]): BtfBuilder {
  const b = btf()
  const { int } = integers(b)
  names.forEach((name, i) => { b.struct(name, 4 * i + 4, [at('x', 4 * i, int)]) })
  return b
}

const namedOf = (name: string) => ({ bytes: Buffer.from(name), offset: 0, length: name.length })

/** Steps of a search for each of some names. */
function stepsFor (names: readonly string[], wanted: readonly string[]): number {
  const kernel = parseBtf(structsOf(names).bytes())
  const work = newWork()
  for (const name of wanted) expect(findCandidates(kernel, BtfKind.STRUCT, namedOf(name), false, work)).toHaveLength(1)
  return work.limit - work.left
}

describe('4,096 names of one hash and one length', () => {
  it('are what they are said to be', () => {
    expect(new Set(NAMES).size).toBe(4096)
    expect(new Set(NAMES.map(name => `${name.length} ${fnv1a(Buffer.from(name), 0, name.length)}`)).size).toBe(1)
  })

  it('cost a search steps by the bytes that it reads, and not by their number alone', () => {
    const few = NAMES.slice(0, 256)
    const long = collidingNames(8, 'p'.repeat(4000))
    const [short, longer] = [stepsFor(few, few.slice(0, 10)), stepsFor(long, long.slice(0, 10))]
    // Each search reads all names of the bucket: those of 72 bytes for two steps, those of 4,048 for 64.
    expect(short).toBeLessThanOrEqual(10 * 256 * 3)
    expect(longer).toBeGreaterThanOrEqual(10 * 256 * Math.floor(4048 / LIMITS.bytesPerStep))
  })

  it.each<[what: string, (accesses: number) => { object: Uint8Array, kernel: BtfBuilder }]>([
    ['of structs', accesses => {
      const local = btf()
      const { int } = integers(local)
      const types = NAMES.slice(0, accesses).map(name => local.struct(name, 4, [at('x', 0, int)]))
      return { object: objectOf(local, types.map(typeId => ({ typeId, access: '0:0' }))), kernel: structsOf(NAMES) }
    }],
    ['of members', accesses => {
      const local = btf()
      const typeId = local.struct('s', 4 * accesses, NAMES.slice(0, accesses).map((name, i) => at(name, 4 * i, integers(local).int)))
      const kernel = btf()
      const { int } = integers(kernel)
      kernel.struct('s', 4 * NAMES.length, NAMES.map((name, i) => at(name, 4 * i, int)))
      return { object: objectOf(local, Array.from({ length: accesses }, (_, i) => ({ typeId, access: `0:${i}` }))), kernel }
    }]
  ])('%s are told apart in an object that asks for a few, and end one that asks for many after as many steps as any', (_what, make) => {
    const few = make(20)
    const { counts, records } = relocate(few.object, parseBtf(few.kernel.bytes()))
    expect(counts).toMatchObject({ resolved: 20 })
    expect(records.map(({ newValue }) => newValue)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(4 * i)))
    const many = make(1000)
    expect(many.kernel.bytes().length).toBeLessThan(500_000)
    const error = refusal('relocation_failed', () => relocate(many.object, parseBtf(many.kernel.bytes())))
    expect(error.details).toMatchObject({ reason: 'work_limit', limit: LIMITS.workSteps + 1000 * LIMITS.workStepsPerRecord })
  })
})

function objectOf (local: BtfBuilder, accesses: ReadonlyArray<Pick<CoreRecord, 'typeId' | 'access'>>): Uint8Array {
  const asm = assembler('little')
  // What a compiler wrote there: the offset in the object's own type.
  const code = Buffer.concat([...accesses.map(({ access = '' }) => asm.mov(1, 4 * Number(access.split(':')[1]))), asm.exit()])
  const records = accesses.map((access, i) => ({ ...access, section: SECTION, insnOff: 8 * i, kind: 'byte_off' } as const))
  return buildObject({ local, programs: [{ section: SECTION, name: 'a', code }], records }).bytes
}

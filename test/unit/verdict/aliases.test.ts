import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { buildReport, judgeRelocation } from '../../../src/report/index.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { buildObject, type CoreRecord } from '../../support/object-builder.js'

const NAMES = 20_000
const RECORDS = 1000

/** A function with very many names, whose every second record has no value, beside one with a single name. */
function manyNames (): { object: Uint8Array, kernel: Uint8Array } {
  const local = btf()
  const { int } = integers(local)
  const typeId = local.struct('s', 8, [at('gone', 0, int), at('kept', 4, int)])
  const asm = assembler('little')
  const code = Buffer.concat([...Array.from({ length: RECORDS }, (_, i) => asm.mov(1, i % 2 * 4)), asm.mov(0, 0), asm.exit()])
  const records = ['raw_tp/a', 'raw_tp/b'].flatMap(section =>
    Array.from({ length: RECORDS }, (_, i): CoreRecord => ({ section, insnOff: i * 8, typeId, kind: 'byte_off', access: `0:${i % 2}` })))
  const aliases = Array.from({ length: NAMES - 1 }, (_, i) => `f${i.toString(36)}`)
  const { bytes: object } = buildObject({
    local, programs: [{ section: 'raw_tp/a', name: 'a', code, aliases }, { section: 'raw_tp/b', name: 'b', code }], records
  })
  const kernel = btf()
  kernel.struct('s', 8, [at('kept', 0, integers(kernel).int)])
  return { object, kernel: kernel.bytes() }
}

describe('a function with 20,000 names', () => {
  it('is judged and reported in work that does not grow with names times records', () => {
    const { object: bytes, kernel } = manyNames()
    const object = parseObject(bytes)
    const relocation = relocate(object, parseBtf(kernel))
    const { report } = buildReport(object, relocation, judgeRelocation(object, relocation))
    expect(report.verdict).toBe('fails')
    expect(report.programs.slice(0, 2)).toMatchObject([
      { name: 'a', relocations: RECORDS, verdict: 'fails' }, { relocations: RECORDS, verdict: 'fails' }
    ])
    expect(report.programs.at(-1)).toMatchObject({ name: 'b', relocations: RECORDS })
    const poisoned = report.relocations.find(({ status }) => status === 'poisoned')
    expect(poisoned?.places_total).toBe((NAMES + 1) * RECORDS / 2)
    expect(poisoned?.places).toHaveLength(1000)
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.js'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { assembler } from '../support/asm.js'
import { btf, integers } from '../support/btf-builder.js'
import { fooSpec, targetFoo } from '../support/corpus.js'
import { buildObject } from '../support/object-builder.js'
import { askOracleOnce, describeLab, NEEDS, oracleIsAtLeast, scratchFolder, type OracleAnswer } from '../support/lab.js'
import { DELIBERATE, VERSIONS, type Difference, type Outcome } from './differences.js'
import { relocate } from '../support/relocate.js'

// What is not in these lists is equal: libbpf.test.ts and random.test.ts see to that.

/** libbpf comes back from small objects in milliseconds, or never. */
const SECONDS = 2

describeLab('libbpf 1.1 and we differ:', [NEEDS.oracle], () => {
  const folder = scratchFolder()

  for (const difference of VERSIONS) {
    it(`${difference.rule} (since ${difference.since})`, async () => {
      const isNew = await oracleIsAtLeast(difference.since ?? '')
      show(difference, isNew ? difference.ours : difference.libbpf, isNew, folder)
    })
  }

  it('a header of 32 bytes is read in the other byte order too (since 1.8)', async () => {
    const object = buildObject(fooSpec())
    const long = targetFoo('big').bytes({ hdrLen: 32 })
    expect(parseBtf(long).byteOrder).toBe('big')
    const isNew = await oracleIsAtLeast('1.8')
    expect(ask(folder, object.bytes, targetFoo('big').bytes())?.relocated).toBe(true)
    expect(ask(folder, object.bytes, long)?.relocated).toBe(isNew)
  })
})

describeLab('every libbpf and we differ, on purpose:', [NEEDS.oracle], () => {
  const folder = scratchFolder()

  for (const difference of DELIBERATE) {
    it(difference.rule, () => { show(difference, difference.libbpf, false, folder) })
  }

  it('the error of a size of 2 GiB or more is EINVAL; in libbpf it is that size as a negative number', () => {
    const holder = (count: number) => {
      const b = btf()
      const { char } = integers(b)
      return { b, id: b.typedef('huge', b.array(char, count)) }
    }
    const local = holder(1)
    const object = buildObject({
      local: local.b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: assembler('little').mov(1, 0) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: local.id, access: '0', kind: 'byte_off' }]
    })
    const target = holder(0xffff_fffb).b.bytes()
    expect(relocate(object.bytes, parseBtf(target)).records[0]).toMatchObject({ status: 'failed', reason: 'size_unknown', errno: 'EINVAL' })
    expect(ask(folder, object.bytes, target)).toMatchObject({ relocated: false, stage: 'relocate', errno: 5 })
  })
})

describe('the list of differences', () => {
  it('has each rule once', () => {
    const rules = [...VERSIONS, ...DELIBERATE].map(({ rule }) => rule)
    expect(new Set(rules).size).toBe(rules.length)
    expect(VERSIONS.every(({ since }) => since !== undefined)).toBe(true)
    expect(DELIBERATE.every(({ since }) => since === undefined)).toBe(true)
  })
})

function ask (folder: string, object: Uint8Array, target: Uint8Array): OracleAnswer | undefined {
  const question = { object: join(folder, 'a.o'), btf: join(folder, 'a.btf') }
  writeFileSync(question.object, object)
  writeFileSync(question.btf, target)
  return askOracleOnce(question, SECONDS, { autoloadDefault: true })
}

/** Checks what libbpf does, and what we do. */
function show ({ make, ours }: Difference, libbpf: Outcome, isNew: boolean, folder: string): void {
  const { object, target } = make()
  const answer = toOutcome(ask(folder, object.bytes, target))
  // A newer libbpf refuses what we refuse, in words of its own.
  const isRefusal = isNew && 'refused' in libbpf && 'refused' in answer
  if (!isRefusal) expect(answer, 'libbpf').toEqual(readable(libbpf))
  expect(ourOutcome(object.bytes, target), 'ours').toEqual(readable(ours))
}

function readable (outcome: Outcome) {
  if ('code' in outcome) return { code: hex(outcome.code) }
  return 'refused' in outcome ? { refused: expect.stringMatching(`^(${outcome.refused.replace(' or ', '|')})$`) as string } : outcome
}

function hex (bytes: Uint8Array): string { return Buffer.from(bytes).toString('hex') }

function toOutcome (answer: OracleAnswer | undefined) {
  if (answer === undefined) return { hangs: true }
  if (answer.crashed !== undefined) return { dies: answer.crashed }
  return answer.relocated ? { code: answer.programs[0]?.insns } : { refused: answer.stage }
}

function ourOutcome (bytes: Uint8Array, target: Uint8Array) {
  try {
    const object = parseObject(bytes)
    const relocation = relocate(object, parseBtf(target))
    const failure = relocation.records.find(({ status }) => status === 'failed')
    if (failure !== undefined || relocation.bytes === undefined) return { refused: failure?.reason }
    const fn = object.elf.functions[0]
    const start = (fn?.section.offset ?? 0) + (fn?.start ?? 0)
    return { code: hex(relocation.bytes.subarray(start, start + (fn?.size ?? 0))) }
  } catch (error) {
    if (error instanceof AppError) return { refused: error.code }
    throw error
  }
}

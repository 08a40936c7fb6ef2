import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { AppError } from '../../src/errors.js'
import { askOracle, describeLab, NEEDS, oracleIsAtLeast, scratchFolder, type OracleAnswer } from '../support/lab.js'
import { makeCase, type Features, type RandomCase } from './random/case.js'

// CORELO_FUZZ_CASES makes the run longer, CORELO_SEED begins elsewhere: a case is repeated with its seed and one case.
const CASES = Number(process.env['CORELO_FUZZ_CASES'] ?? 3000)
const FIRST_SEED = Number(process.env['CORELO_SEED'] ?? 1)
const AT_A_TIME = 200

const ERRNO = { EINVAL: 22, E2BIG: 7, ERANGE: 34 } as const

describeLab('edge 84: libbpf and this engine, given the same made-up object and kernel,', [NEEDS.oracle], () => {
  const folder = scratchFolder()
  const done: Record<string, number> = {}
  const count = (what: string, times = 1) => { done[what] = (done[what] ?? 0) + times }

  it(`give the same bytes, or refuse the same record, in ${CASES} cases from seed ${FIRST_SEED} on`, {
    timeout: 60_000 + CASES * 200
  }, async () => {
    const features: Features = { arrayAccess: await oracleIsAtLeast('1.6'), negativeIndex: await oracleIsAtLeast('1.8') }
    const disagreements: string[] = []
    for (let first = 0; first < CASES; first += AT_A_TIME) {
      const cases = Array.from({ length: Math.min(AT_A_TIME, CASES - first) }, (_, i) => makeCase(FIRST_SEED + first + i, features))
      const answers = await askInFiles(cases, folder)
      cases.forEach((made, i) => {
        const answer = answers[i]
        if (answer === undefined) throw new Error(`no answer for seed ${made.seed}`)
        tally(made, answer, count)
        for (const disagreement of compare(made, answer)) disagreements.push(`seed ${made.seed}: ${disagreement}`)
      })
    }
    console.log(`made-up cases: ${JSON.stringify(Object.fromEntries(Object.entries(done).sort()))}`)
    expect(disagreements).toEqual([])
  })

  it.runIf(CASES >= 3000)('in cases of every sort', () => {
    expect(done['compared']).toBe(CASES)
    expect(done['relocated']).toBeGreaterThan(CASES / 2)
    expect(done['refused']).toBeGreaterThan(CASES / 10)
    expect(done['same record refused']).toBeGreaterThan(CASES / 20)
    for (const kind of [
      'byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64', 'local_type_id', 'target_type_id', 'type_exists',
      'type_size', 'enumval_exists', 'enumval_value', 'type_matches'
    ]) {
      expect(done[`${kind} resolved`], kind).toBeGreaterThan(0)
    }
    for (const kind of ['field_exists', 'target_type_id', 'type_exists', 'type_size', 'enumval_exists', 'type_matches']) {
      expect(done[`${kind} absent`], kind).toBeGreaterThan(0)
    }
    for (const kind of ['byte_off', 'byte_sz', 'signed', 'lshift_u64', 'rshift_u64', 'enumval_value']) {
      expect(done[`${kind} poisoned`], kind).toBeGreaterThan(0)
    }
    expect(done['resized accesses']).toBeGreaterThan(0)
  })
})

async function askInFiles (cases: readonly RandomCase[], folder: string): Promise<OracleAnswer[]> {
  const questions = cases.map(({ seed, object, btf }) => {
    const question = { object: join(folder, `${seed}.o`), btf: join(folder, `${seed}.btf`) }
    writeFileSync(question.object, object.bytes)
    writeFileSync(question.btf, btf)
    return question
  })
  // Programs of ? sections stay as they are in libbpf until an application asks for them; what we make of them is our own.
  const answers = await askOracle(questions, { autoloadDefault: true })
  for (const { object, btf } of questions) {
    rmSync(object)
    rmSync(btf)
  }
  return answers
}

/** What the two say differently, in one line each. */
function compare (made: RandomCase, answer: OracleAnswer): string[] {
  const { relocation } = made
  if (answer.crashed !== undefined) return [`libbpf dies of signal ${answer.crashed}`]
  if (relocation instanceof AppError) {
    return answer.stage === 'open' ? [] : [`we refuse the file (${relocation.message}), libbpf says ${answer.stage} ${answer.error}`]
  }
  const failed = relocation.records.findIndex(({ status }) => status === 'failed')
  const failure = relocation.records[failed]
  if (answer.relocated !== relocation.ok) {
    return [relocation.ok
      ? `libbpf refuses (${answer.stage}, errno ${answer.errno}: ${answer.error}), we do not`
      : `libbpf relocates, we refuse record ${failed} (${failure?.kind}: ${failure?.detail})`]
  }
  if (!relocation.ok) return compareRefusals(made, answer, failed)

  const disagreements: string[] = []
  for (const program of answer.programs) {
    if (!program.autoload) continue
    const place = made.programs.find(({ name }) => name === program.name)
    if (place === undefined || relocation.bytes === undefined) return [`libbpf has a program ${program.name}, we do not`]
    const start = made.object.section(place.section).offset + place.start
    const ours = Buffer.from(relocation.bytes.subarray(start, start + place.size)).toString('hex')
    for (let at = 0; at < Math.max(ours.length, program.insns.length); at += 16) {
      const [wanted, found] = [program.insns.slice(at, at + 16), ours.slice(at, at + 16)]
      if (wanted !== found) disagreements.push(`${program.name}, instruction ${at / 16}: libbpf ${wanted}, we ${found}`)
    }
  }
  return disagreements
}

function compareRefusals (made: RandomCase, answer: OracleAnswer, failed: number): string[] {
  const { relocation } = made
  const failure = relocation instanceof AppError ? undefined : relocation.records[failed]
  const place = made.records[failed]
  if (answer.stage !== 'relocate' || failure?.errno == null || place === undefined) {
    return [`libbpf refuses at ${answer.stage}: ${answer.error}`]
  }
  const disagreements: string[] = []
  // A size of 2 GiB or more is an int below zero to libbpf, and that number its error: see differences.test.ts.
  const isSize = failure.reason === 'size_unknown'
  if (answer.errno !== ERRNO[failure.errno] && !isSize) {
    disagreements.push(`errno ${answer.errno} of libbpf (${answer.error}), our ${failure.errno} (${failure.detail})`)
  }
  const named = namedRecord(answer)
  if (named !== undefined && (named.program !== place.program || named.number !== place.number)) {
    disagreements.push(
      `libbpf refuses #${named.number} of ${named.program} (${answer.error}), we #${place.number} of ${place.program} (${failure.detail})`
    )
  }
  return disagreements
}

/**
 * The record that libbpf's message is about. A record in the middle of an instruction gets none; a warning about an earlier one may be
 * there.
 */
function namedRecord (answer: OracleAnswer): { program: string, number: number } | undefined {
  if (answer.error.includes('accesses field incorrectly')) return undefined
  const found = /^prog '([^']*)': relo #(\d+)/.exec(answer.error)
  return found === null ? undefined : { program: found[1] ?? '', number: Number(found[2]) }
}

function tally (made: RandomCase, answer: OracleAnswer, count: (what: string, times?: number) => void): void {
  count('compared')
  count(answer.relocated ? 'relocated' : 'refused')
  if (!answer.relocated && namedRecord(answer) !== undefined) count('same record refused')
  const { relocation, object } = made
  if (relocation instanceof AppError) return
  count('records', relocation.records.length)
  for (const record of relocation.records) {
    count(record.status === 'failed' ? `failed: ${record.reason}` : `${record.kind} ${record.status}`)
    const at = object.section(record.section).offset + record.insnOff
    const [before, after] = [object.bytes[at] ?? 0, relocation.bytes?.[at] ?? 0]
    if (record.status === 'resolved' && relocation.ok && before !== after && (before ^ after) < 0x20) count('resized accesses')
  }
}

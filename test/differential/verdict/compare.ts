import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Btf } from '../../../src/btf/btf.js'
import { applyPatches, parseObject, relocate } from '../../../src/core/index.js'
import { judge, kernelSymbols, type Verdict } from '../../../src/verdict/index.js'

/** What a kernel's verifier said of a program: see test/lab/verify.c. */
export interface Answer {
  readonly object: string
  readonly program: string
  readonly section: string
  readonly result: 'ok' | 'poison' | 'other' | 'none'
  readonly log: string
  /** Of `other`: the instruction that the verifier looked at last, -1 where it had not begun. */
  readonly at?: number
  /** Of `other`: ways through the program that it had followed to their end. */
  readonly ended?: number
  /** Of `other`: whether a way leads from that instruction to a poisoned one. */
  readonly ahead?: boolean
}

export interface Judged {
  /** By `object program`, as answers name them. */
  readonly verdicts: ReadonlyMap<string, { readonly verdict: Verdict, readonly reason: string | null }>
  /** The relocated objects. */
  readonly paths: readonly string[]
}

/**
 * Relocates objects for a kernel into `folder`, and judges their programs.
 *
 * @param kernelRelease undefined: not known
 */
export function judgeAll (objects: readonly string[], target: Btf, kernelRelease: string | undefined, folder: string): Judged {
  const hasKernelSymbol = kernelSymbols(target)
  const verdicts = new Map<string, { verdict: Verdict, reason: string | null }>()
  const paths = objects.flatMap(source => {
    const object = parseObject(readFileSync(source))
    const relocation = relocate(object, target)
    if (relocation.patches === undefined) return []
    const path = join(folder, basename(source))
    writeFileSync(path, applyPatches(object.bytes, relocation.patches))
    const options = { hasKernelSymbol, ...kernelRelease === undefined ? {} : { kernelRelease } }
    for (const { name, verdict, reason } of judge(object, relocation, options).programs) {
      verdicts.set(`${path} ${name}`, { verdict, reason })
    }
    return [path]
  })
  return { verdicts, paths }
}

/** Asks the running kernel about every program. */
export function askVerifier (verify: string, paths: readonly string[]): Answer[] {
  const { stdout, status } = spawnSync(verify, { input: `${paths.join('\n')}\n`, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
  if (status !== 0) throw new Error(`verify ended with ${status}`)
  return readAnswers(stdout)
}

/** The answers among other lines, such as a guest's console has. */
export function readAnswers (text: string): Answer[] {
  return text.split('\n').filter(line => line.startsWith('{"object":')).map(line => JSON.parse(line) as Answer)
}

export interface Comparison {
  /** How often a verdict met an outcome: `fails/poison`, `fails/before`. */
  readonly counts: Readonly<Record<string, number>>
  /** Programs whose verdict the verifier refutes. */
  readonly wrong: readonly string[]
  /** Part of the programs, 0 to 1, whose verdict is `unknown`. Programs that no verifier saw do not count. */
  readonly unknown: number
}

/** Whether the verifier refused it before it looked at any instruction, or on the first way through it that could have led to poison. */
function isRefusedBeforePoison ({ at, ended, ahead }: Answer): boolean {
  return at === -1 || (ended === 0 && ahead === true)
}

/** The row of the table: of `fails`, what is refused for something else than the poison is told apart by when that is. */
function outcomeOf (verdict: Verdict, answer: Answer): string {
  if (verdict !== 'fails' || answer.result !== 'other') return answer.result
  return isRefusedBeforePoison(answer) ? 'before' : 'later'
}

/**
 * A program that is refused for its poison was judged wrongly if it is `loads`. One that loads was if it is `fails`, and so was one that
 * is refused when the verifier had passed where the poison should be.
 */
export function compareVerdicts ({ verdicts }: Judged, answers: readonly Answer[]): Comparison {
  const counts: Record<string, number> = {}
  const wrong: string[] = []
  let unknown = 0
  let seen = 0
  for (const answer of answers) {
    const { object, program, result, log } = answer
    const judged = verdicts.get(`${object} ${program}`)
    if (judged === undefined) continue
    const { verdict, reason } = judged
    const outcome = outcomeOf(verdict, answer)
    counts[`${verdict}/${outcome}`] = (counts[`${verdict}/${outcome}`] ?? 0) + 1
    if (result !== 'none') seen++
    if (result !== 'none' && verdict === 'unknown') unknown++
    const isWrong = verdict === 'loads' ? outcome === 'poison' : verdict === 'fails' && (outcome === 'ok' || outcome === 'later')
    if (isWrong) {
      wrong.push(`${basename(object)} ${program}: ${verdict} (${reason ?? 'no reason'}), and the verifier: ${outcome} ${log.slice(0, 200)}`)
    }
  }
  return { counts, wrong, unknown: seen === 0 ? 0 : unknown / seen }
}

/** One row of the table that the tests print. */
export function tableRow (name: string, { counts, unknown }: Comparison): string {
  const columns = Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)).map(([key, count]) => `${key} ${count}`)
  return `verdict/verifier, ${name}: ${columns.join(', ')}; unknown ${(100 * unknown).toFixed(1)} %`
}

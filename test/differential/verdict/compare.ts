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
  readonly result: 'ok' | 'poison' | 'other' | 'none'
  readonly log: string
}

export interface Judged {
  /** By `object program`, as answers name them. */
  readonly verdicts: ReadonlyMap<string, { readonly verdict: Verdict, readonly reason: string | null }>
  /** The relocated objects. */
  readonly paths: readonly string[]
}

/** Relocates objects for a kernel into `folder`, and judges their programs. */
export function judgeAll (objects: readonly string[], target: Btf, kernelRelease: string, folder: string): Judged {
  const hasKernelSymbol = kernelSymbols(target)
  const verdicts = new Map<string, { verdict: Verdict, reason: string | null }>()
  const paths = objects.flatMap(source => {
    const object = parseObject(readFileSync(source))
    const relocation = relocate(object, target)
    if (relocation.patches === undefined) return []
    const path = join(folder, basename(source))
    writeFileSync(path, applyPatches(object.bytes, relocation.patches))
    for (const { name, verdict, reason } of judge(object, relocation, { kernelRelease, hasKernelSymbol }).programs) verdicts.set(`${path} ${name}`, { verdict, reason })
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
  /** How often a verdict met an answer: `fails/poison`. */
  readonly counts: Readonly<Record<string, number>>
  /** Programs whose verdict the verifier refutes. */
  readonly wrong: readonly string[]
  /** Part of the programs, 0 to 1, whose verdict is `unknown`. Programs that no verifier saw do not count. */
  readonly unknown: number
}

/** A program that loads was judged wrongly if it is `fails`; one refused for its poison, if it is `loads`. */
export function compareVerdicts ({ verdicts }: Judged, answers: readonly Answer[]): Comparison {
  const counts: Record<string, number> = {}
  const wrong: string[] = []
  let unknown = 0
  let seen = 0
  for (const { object, program, result, log } of answers) {
    const judged = verdicts.get(`${object} ${program}`)
    if (judged === undefined) continue
    const { verdict, reason } = judged
    counts[`${verdict}/${result}`] = (counts[`${verdict}/${result}`] ?? 0) + 1
    if (result !== 'none') seen++
    if (result !== 'none' && verdict === 'unknown') unknown++
    if ((verdict === 'loads' && result === 'poison') || (verdict === 'fails' && result === 'ok')) wrong.push(`${basename(object)} ${program}: ${verdict} (${reason ?? 'no reason'}), and the verifier: ${result} ${log.slice(0, 200)}`)
  }
  return { counts, wrong, unknown: seen === 0 ? 0 : unknown / seen }
}

/** One row of the table that the tests print. */
export function tableRow (name: string, { counts, unknown }: Comparison): string {
  const columns = Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)).map(([key, count]) => `${key} ${count}`)
  return `verdict/verifier, ${name}: ${columns.join(', ')}; unknown ${(100 * unknown).toFixed(1)} %`
}

import type { ElfFunction } from '../elf/functions.js'
import { cut } from '../btf/shown-text.js'
import { kernelBtfNeeds } from '../core/kernel-btf.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome } from '../core/outcome.js'
import type { Judgement } from '../verdict/index.js'
import type { ReportProgram } from './wire.js'

/** The functions that hold a record: one, or several where symbols share a function. libbpf makes a program of each. */
export type HoldersOf = (record: RecordOutcome) => readonly ElfFunction[]

export function holders ({ elf }: BpfObject): HoldersOf {
  const byStart = new Map<string, ElfFunction[]>()
  for (const fn of elf.functions) {
    const key = `${fn.section.index} ${fn.start}`
    const known = byStart.get(key)
    if (known === undefined) byStart.set(key, [fn])
    else known.push(fn)
  }
  return ({ fn, insnOff }) => {
    if (fn === undefined) return []
    const alike = byStart.get(`${fn.section.index} ${fn.start}`) ?? []
    return alike.length < 2 ? alike : alike.filter(other => insnOff < other.start + other.size)
  }
}

/** Assumptions that are listed. A program has a few settings. */
const MAX_ASSUMES = 64

/** Every function of the object, with what becomes of it. */
export function * programsOf (object: BpfObject, records: readonly RecordOutcome[], judgement: Judgement, holdersOf: HoldersOf): Generator<ReportProgram> {
  const needsOf = kernelBtfNeeds(object)
  const counts = new Map<ElfFunction, number>()
  for (const record of records) {
    for (const fn of holdersOf(record)) counts.set(fn, (counts.get(fn) ?? 0) + 1)
  }
  const verdicts = new Map(judgement.programs.map(program => [program.fn, program]))
  for (const fn of object.elf.functions) {
    const judged = verdicts.get(fn)
    const needs = needsOf(fn)
    yield {
      name: cut(fn.name),
      section: cut(fn.section.name),
      verdict: judged?.verdict ?? 'unknown',
      verdict_reason: judged?.reason == null ? null : cut(judged.reason),
      assumes: (judged?.assumes ?? []).slice(0, MAX_ASSUMES).map(cut),
      needs_kernel_btf: needs === null ? null : cut(needs),
      relocations: counts.get(fn) ?? 0
    }
  }
}

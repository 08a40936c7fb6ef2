import type { ElfFunction } from '../elf/functions.js'
import { cut } from '../btf/shown-text.js'
import { kernelBtfNeeds } from '../core/kernel-btf.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome } from '../core/outcome.js'
import type { Judgement } from '../verdict/index.js'
import type { ReportProgram } from '../wire/report.js'

/** The functions that hold a record: one, or several where symbols share a function. libbpf makes a program of each. */
export type HoldersOf = (record: RecordOutcome) => readonly ElfFunction[]

/** Functions of one start, which mostly are one function with one name. */
interface Names {
  readonly functions: ElfFunction[]
  /** Bytes of the shortest. */
  shortest: number
}

export function holders ({ elf }: BpfObject): HoldersOf {
  const namesOf = new Map<ElfFunction, Names>()
  let last: ElfFunction | undefined
  let names: Names | undefined
  for (const fn of elf.functions) { // in the order of their places
    if (names !== undefined && last?.section === fn.section && last.start === fn.start) {
      names.functions.push(fn)
      names.shortest = Math.min(names.shortest, fn.size)
    } else {
      names = { functions: [fn], shortest: fn.size }
    }
    namesOf.set(fn, names)
    last = fn
  }
  return ({ fn, insnOff }) => {
    const names = fn === undefined ? undefined : namesOf.get(fn)
    if (fn === undefined || names === undefined) return []
    return insnOff < fn.start + names.shortest ? names.functions : names.functions.filter(({ start, size }) => insnOff < start + size)
  }
}

/** Assumptions that are listed. A program has a few settings. */
const MAX_ASSUMES = 64

/** Every function of the object, with what becomes of it. */
export function * programsOf (
  object: BpfObject,
  records: readonly RecordOutcome[],
  judgement: Judgement,
  holdersOf: HoldersOf
): Generator<ReportProgram> {
  const needsOf = kernelBtfNeeds(object)
  const counts = countRecords(records, holdersOf)
  for (const { fn, verdict, reason, assumes } of judgement.programs) {
    const needs = needsOf(fn)
    yield {
      name: cut(fn.name),
      section: cut(fn.section.name),
      verdict,
      verdict_reason: reason === null ? null : cut(reason),
      assumes: assumes.slice(0, MAX_ASSUMES).map(cut),
      needs_kernel_btf: needs === null ? null : cut(needs),
      relocations: counts(fn)
    }
  }
}

/** Records in each function. Counted once for all names that hold the same ones: names times records would be too many to count. */
function countRecords (records: readonly RecordOutcome[], holdersOf: HoldersOf): (fn: ElfFunction) => number {
  const counts = new Map<readonly ElfFunction[], number>()
  for (const record of records) {
    const names = holdersOf(record)
    counts.set(names, (counts.get(names) ?? 0) + 1)
  }
  const totals = new Map<ElfFunction, number>()
  for (const [names, count] of counts) {
    for (const fn of names) totals.set(fn, (totals.get(fn) ?? 0) + count)
  }
  return fn => totals.get(fn) ?? 0
}

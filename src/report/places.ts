import { sourceLines, type SourceLines } from '../btf/line-info.js'
import { cut } from '../btf/shown-text.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome, Relocation } from '../core/outcome.js'
import type { Judgement } from '../verdict/index.js'
import type { ReportPlace } from '../wire/report.js'
import type { HoldersOf } from './programs.js'

/** The places of records, as many as are wanted. */
export interface Places {
  readonly places: ReportPlace[]
  /** How many there are. A place that several programs share counts for each. */
  readonly total: number
  /** Whether the verifier gets to one that is poisoned, or may. */
  readonly isReached: boolean
}

export type PlacesOf = (records: readonly number[], most: number) => Places

export function placer (object: BpfObject, { records }: Relocation, judgement: Judgement, holdersOf: HoldersOf): PlacesOf {
  const lineOf = sourceLines(object.ext, object.btf)
  return (indices, most) => {
    const places: ReportPlace[] = []
    let total = 0
    let isReached = false
    for (const index of indices) {
      const record = records[index]
      if (record === undefined) continue
      const isPoisoned = record.status === 'poisoned'
      const hasRoom = places.length < most
      const isAsked: boolean = isPoisoned && (hasRoom || !isReached)
      const reachable: boolean | null = isAsked ? judgement.isReachable(record.section, record.insnOff) : null
      isReached ||= isAsked && reachable !== false
      const programs = holdersOf(record)
      total += Math.max(1, programs.length)
      if (!hasRoom) continue
      const place = toPlace(record, reachable, judgement, lineOf)
      if (programs.length === 0) places.push(place)
      for (const { name } of programs) {
        if (places.length >= most) break
        places.push(name === record.program ? place : { ...place, program: cut(name) })
      }
    }
    return { places, total, isReached }
  }
}

function toPlace (record: RecordOutcome, reachable: boolean | null, judgement: Judgement, lineOf: SourceLines): ReportPlace {
  const { program, section, insnOff, instruction } = record
  return {
    program: cut(program),
    section: cut(section),
    instruction,
    reachable,
    behind_poison: reachable === false && judgement.isBehindPoison(section, insnOff),
    source: lineOf(section, insnOff) ?? null
  }
}

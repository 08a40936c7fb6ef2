import type { Report, ReportMembers } from '../wire/report.js'
import type { MadeReport } from '../workers/protocol.js'
import { ENGINE } from './engine.js'
import type { Sha256 } from '../store/sha256.js'
import type { Warning } from './types.js'

/** What surrounds the engine's report: who was asked for what, and the content it is about. */
export interface ReportFacts {
  readonly object: { readonly sha256: Sha256, readonly bytes: number }
  readonly kernel: Report['kernel']
  /** Besides those of the engine. */
  readonly warning?: Warning | undefined
  /** Null where the object is refused. */
  readonly result: { readonly sha256: Sha256, readonly bytes: number } | null
}

/** What the engine says of the object and the result beside the report's members. */
interface Details {
  readonly byteOrder: Report['object']['byte_order']
  readonly changedInstructions: number
}

/** The members that only the caller knows. */
type Head = Omit<Report, keyof ReportMembers | 'result'> & { readonly result: Report['result'] | null }

/** The report of the contract: what the engine found, with what only its caller knows before it. */
export function headOf ({ object, kernel, result }: ReportFacts, { byteOrder, changedInstructions }: Details): Head {
  return {
    object: { ...object, byte_order: byteOrder },
    kernel,
    result: result === null ? null : { ...result, changed_instructions: changedInstructions },
    engine: ENGINE
  }
}

/** The same as JSON. The members, which may be megabytes, are bytes that a worker made; nobody parses them. */
export function reportBytes (facts: ReportFacts, { members, ...details }: MadeReport): Buffer {
  const head = JSON.stringify(headOf(facts, details))
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},`), ...withWarning(members, facts.warning), Buffer.from('}')])
}

/** One warning more: the list of warnings is what the members end with. */
function withWarning (members: Uint8Array, warning: Warning | undefined): Uint8Array[] {
  if (warning === undefined) return [members]
  const isFirst = members.at(-2) === OPENING_BRACKET
  return [members.subarray(0, -1), Buffer.from(`${isFirst ? '' : ','}${JSON.stringify(warning)}]`)]
}

const OPENING_BRACKET = 0x5b

import { PATCH_SIZE } from '../core/index.js'
import type { MadeReport, RelocatedObject } from '../workers/protocol.js'

/** A result as it is kept, apart from its bytes: those of the patches and of the report, which follow the JSON. */
type Head = Omit<RelocatedObject, 'patches' | 'report' | 'parseMs' | 'relocateMs' | 'layoutVector'> & {
  readonly patches: number
  readonly report?: Omit<MadeReport, 'members' | 'failing'> & { readonly members: number, readonly failing: number }
}

/** A report of more bytes is made again when it is asked for. */
const MAX_REPORT_BYTES = 64 * 1024
const LENGTH_SIZE = 4

/**
 * A result as bytes: the length of its JSON, the JSON, then offsets, old and new slots of the patches, and the report.
 *
 * @param withReport whether the report is of this object and kernel alone, so that it may be kept
 */
export function formatResult (result: RelocatedObject, withReport: boolean): Uint8Array {
  const { patches: { offsets, before, after }, report, parseMs: _parse, relocateMs: _relocate, layoutVector: _vector, ...facts } = result
  const kept = withReport && report !== undefined && report.members.length + report.failing.length <= MAX_REPORT_BYTES ? report : undefined
  const head: Head = {
    ...facts,
    patches: offsets.length,
    ...(kept === undefined ? {} : { report: { ...kept, members: kept.members.length, failing: kept.failing.length } })
  }
  const json = Buffer.from(JSON.stringify(head))
  const numbers = Buffer.alloc(LENGTH_SIZE * (1 + offsets.length))
  numbers.writeUInt32LE(json.length)
  offsets.forEach((offset, i) => numbers.writeUInt32LE(offset, LENGTH_SIZE * (1 + i)))
  return Buffer.concat([
    numbers.subarray(0, LENGTH_SIZE), json, numbers.subarray(LENGTH_SIZE), before, after,
    ...(kept === undefined ? [] : [kept.members, kept.failing])
  ])
}

/** The result that formatResult made bytes of; undefined where they are of another length than they say. */
export function parseResult (value: Uint8Array): RelocatedObject | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  if (bytes.length < LENGTH_SIZE) return undefined
  let at = LENGTH_SIZE + bytes.readUInt32LE(0)
  if (at > bytes.length) return undefined
  const { patches: count, report, ...facts } = JSON.parse(bytes.toString('utf8', LENGTH_SIZE, at)) as Head // sealed: it is what we wrote
  const size = count * (LENGTH_SIZE + 2 * PATCH_SIZE) + (report === undefined ? 0 : report.members + report.failing)
  if (bytes.length !== at + size) return undefined
  const take = (length: number): Uint8Array => {
    at += length
    return Uint8Array.prototype.slice.call(bytes, at - length, at)
  }
  const words = Buffer.from(take(count * LENGTH_SIZE))
  const offsets = Uint32Array.from({ length: count }, (_, i) => words.readUInt32LE(LENGTH_SIZE * i))
  const [before, after] = [take(count * PATCH_SIZE), take(count * PATCH_SIZE)]
  return {
    ...facts,
    patches: { offsets, before, after },
    report: report === undefined
      ? undefined
      : { ...report, failure: report.failure, members: take(report.members), failing: take(report.failing) },
    parseMs: 0,
    relocateMs: 0
  }
}

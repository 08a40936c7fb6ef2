import { describeAccess, describeRecord, describeType } from '../core/describe.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome, Relocation } from '../core/outcome.js'
import type { Resolution } from '../core/resolution.js'
import { cut } from '../btf/shown-text.js'
import type { JsonU64, ReportRelocation } from '../wire/report.js'
import { newWork, tryWithin, type Work } from '../btf/work.js'
import { brokenAccess } from './reasons/malformed.js'
import { needsRemark, remarkOn, type HasShifts, type Remark } from './reasons/remarks.js'
import type { Explanation } from './reasons/reason.js'

/** What is told once of records that are equal but for their place. */
export type EntryText = Pick<
  ReportRelocation,
  'kind' | 'type' | 'access' | 'access_spec' | 'status' | 'old' | 'new' | 'reason' | 'detail' | 'suggestions'
>

/** Records that are equal but for their place. */
export interface Entry {
  readonly text: EntryText
  /** Their places in Relocation.records, ascending. */
  readonly records: readonly number[]
}

/** Explains a record, of which a remark may have been made already; asked once for records that are equal. */
export type Explain = (record: RecordOutcome, remark: Remark | undefined) => Explanation | undefined

interface Group {
  readonly record: RecordOutcome
  readonly remark: Remark | undefined
  readonly records: number[]
}

/** Groups records that are equal but for their place, in the order of their first place. */
export function groupRecords (object: BpfObject, { records }: Relocation, explain: Explain): Entry[] {
  const entries = new Map<string, { text: EntryText, records: number[] }>()
  const work = newWork()
  for (const group of groupAlike(object, records)) {
    const text = textOf(object, group, explain, work)
    const key = [text.kind, text.type, text.access, text.access_spec, text.status, text.old, text.new, text.reason, text.detail].join('\0')
    const known = entries.get(key)
    if (known === undefined) entries.set(key, { text, records: group.records })
    else for (const record of group.records) known.records.push(record)
  }
  return [...entries.values()].map(({ text, records }) => ({ text, records: records.sort((a, b) => a - b) }))
}

/** Groups records by what they have in common already, so that only one of each is looked at closely: there may be 100,000. */
function groupAlike (object: BpfObject, records: readonly RecordOutcome[]): Group[] {
  const groups: Group[] = []
  const byResolution = new Map<Resolution, Map<string, Group>>()
  const hasShifts = shiftFinder(records)
  records.forEach((record, index) => {
    const remark = needsRemark(record) ? remarkOn(record, object, hasShifts) : undefined
    const { resolution } = record
    let alike = resolution === undefined ? undefined : byResolution.get(resolution)
    if (alike === undefined) {
      alike = new Map()
      if (resolution !== undefined) byResolution.set(resolution, alike)
    }
    const key = `${record.status} ${record.oldValue} ${record.detail ?? ''} ${remark?.detail ?? ''}`
    const group = alike.get(key)
    if (group !== undefined) {
      group.records.push(index)
      return
    }
    const made = { record, remark, records: [index] }
    groups.push(made)
    alike.set(key, made)
  })
  return groups
}

/** @param work steps that what is told of all records may take: past them, an access is shown as its string */
function textOf (object: BpfObject, { record, remark }: Group, explain: Explain, work: Work): EntryText {
  const found = explain(record, remark)
  const { resolution } = record
  const { type, access: whole } = resolution === undefined
    ? describeRecord(object.btf, record, work)
    : { type: describeType(object.btf, resolution.local.rootId), access: describeAccess(resolution.local) }
  // A broken access is shown as far as it goes.
  const access = record.reason === 'access_malformed'
    ? tryWithin(() => brokenAccess(object.btf, record, work)?.access, () => undefined) ?? whole
    : whole
  return {
    kind: record.kind,
    type: cut(type),
    access: cut(access),
    access_spec: cut(record.accessSpec),
    status: record.status,
    old: toJson(record.oldValue),
    new: record.newValue === null ? null : toJson(record.newValue),
    reason: found?.reason ?? record.reason,
    detail: cutOrNull(found?.detail ?? record.detail),
    // An existence check that answers 0 is the guard itself.
    suggestions: record.status === 'absent'
      ? []
      : (found?.suggestions ?? [])
          .filter(({ code }) => code.length <= MAX_CODE)
          .map(({ text, code }) => ({ text: cut(text), code }))
  }
}

/** Code is shown whole or not at all. */
const MAX_CODE = 4000

function cutOrNull (text: string | null): string | null { return text === null ? null : cut(text) }

/** Whether a function asks for the shifts of a field anywhere: found once, when it is first asked. */
function shiftFinder (records: readonly RecordOutcome[]): HasShifts {
  let shifted: Set<string> | undefined
  const keyOf = ({ fn, typeId, accessSpec }: RecordOutcome): string => `${fn?.section.index} ${fn?.start} ${typeId} ${accessSpec}`
  return record => {
    shifted ??= new Set(records.filter(({ kind }) => kind === 'lshift_u64' || kind === 'rshift_u64').map(keyOf))
    return shifted.has(keyOf(record))
  }
}

function toJson (value: bigint): JsonU64 { return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString() }

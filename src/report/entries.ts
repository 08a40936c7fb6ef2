import { describeAccess, describeRecord, describeType } from '../core/describe.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome, Relocation } from '../core/outcome.js'
import type { Resolution } from '../core/resolution.js'
import type { TypeId } from '../btf/btf.js'
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
  const entries: Entry[] = []
  const known = createTexts()
  const work = newWork()
  const typeName = rememberedTypes(object)
  const joined = new Set<OpenEntry>()
  for (const group of groupAlike(object, records)) {
    const text = textOf(object, group, explain, typeName, work)
    const entry = known.find(text)
    if (entry === undefined) {
      const made = { text, records: group.records }
      entries.push(made)
      known.add(made)
    } else {
      for (const record of group.records) entry.records.push(record)
      joined.add(entry)
    }
  }
  for (const { records: places } of joined) places.sort((a, b) => a - b)
  return entries
}

interface OpenEntry extends Entry {
  readonly records: number[]
}

/** Entries by their texts. */
interface Texts {
  readonly find: (text: EntryText) => OpenEntry | undefined
  readonly add: (entry: OpenEntry) => void
}

/** Entries of one access that are compared one by one. Records ask a few questions about it; to make a text of all members costs more. */
const FEW = 8

function createTexts (): Texts {
  const few = new Map<string, OpenEntry[]>()
  const many = new Map<string, OpenEntry>()
  return {
    find (text) {
      const alike = few.get(text.access)
      if (alike === undefined) return undefined
      return alike.find(entry => isSameText(entry.text, text)) ?? (alike.length < FEW ? undefined : many.get(keyOf(text)))
    },
    add (entry) {
      const alike = few.get(entry.text.access)
      if (alike === undefined) few.set(entry.text.access, [entry])
      else if (alike.length < FEW) alike.push(entry)
      else many.set(keyOf(entry.text), entry)
    }
  }
}

function isSameText (a: EntryText, b: EntryText): boolean {
  return a.access_spec === b.access_spec && a.kind === b.kind && a.status === b.status && a.old === b.old && a.new === b.new &&
    a.type === b.type && a.access === b.access && a.reason === b.reason && a.detail === b.detail
}

function keyOf (text: EntryText): string {
  return [text.kind, text.type, text.access, text.access_spec, text.status, text.old, text.new, text.reason, text.detail].join('\0')
}

/** Groups of one resolution, which mostly are one. */
interface Alike {
  readonly first: Group
  /** Others, by what tells them apart. */
  others: Map<string, Group> | undefined
}

/** Groups records by what they have in common already, so that only one of each is looked at closely: there may be 100,000. */
function groupAlike (object: BpfObject, records: readonly RecordOutcome[]): Group[] {
  const groups: Group[] = []
  const byResolution = new Map<Resolution, Alike>()
  const hasShifts = shiftFinder(records)
  const begin = (group: Group): Group => {
    groups.push(group)
    return group
  }
  records.forEach((record, index) => {
    const remark = needsRemark(record) ? remarkOn(record, object, hasShifts) : undefined
    const { resolution } = record
    const alike = resolution === undefined ? undefined : byResolution.get(resolution)
    if (alike === undefined) {
      const first = begin({ record, remark, records: [index] })
      if (resolution !== undefined) byResolution.set(resolution, { first, others: undefined })
    } else if (isAlike(alike.first, record, remark)) {
      alike.first.records.push(index)
    } else {
      const key = `${record.status} ${record.oldValue} ${record.detail ?? ''} ${remark?.detail ?? ''}`
      alike.others ??= new Map()
      const group = alike.others.get(key)
      if (group === undefined) alike.others.set(key, begin({ record, remark, records: [index] }))
      else group.records.push(index)
    }
  })
  return groups
}

function isAlike ({ record, remark }: Group, other: RecordOutcome, otherRemark: Remark | undefined): boolean {
  return record.status === other.status && record.oldValue === other.oldValue && record.detail === other.detail &&
    remark?.detail === otherRemark?.detail
}

/** Names of root types: many accesses start from one type. */
function rememberedTypes ({ btf }: BpfObject): (id: TypeId) => string {
  const names = new Map<TypeId, string>()
  return id => {
    let name = names.get(id)
    if (name === undefined) names.set(id, name = cut(describeType(btf, id)))
    return name
  }
}

/** @param work steps that what is told of all records may take: past them, an access is shown as its string */
function textOf (
  object: BpfObject, { record, remark }: Group, explain: Explain, typeName: (id: TypeId) => string, work: Work
): EntryText {
  const found = explain(record, remark)
  const { resolution } = record
  const { type, access: whole } = resolution === undefined
    ? describeRecord(object.btf, record, work)
    : { type: typeName(resolution.local.rootId), access: describeAccess(resolution.local) }
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
    suggestions: record.status === 'absent' || found === undefined
      ? []
      : found.suggestions
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

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

function toJson (value: bigint): JsonU64 { return value <= MAX_SAFE ? Number(value) : value.toString() }

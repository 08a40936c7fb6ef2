import type { ByteOrder } from '../bytes/byte-order.js'
import type { TypeId } from '../btf/btf.js'
import { cut } from '../btf/shown-text.js'
import { newWork } from '../btf/work.js'
import { needsKernelBtf } from '../core/kernel-btf.js'
import type { BpfObject } from '../core/object.js'
import type { OutcomeCounts, RecordOutcome, Relocation } from '../core/outcome.js'
import type { Judgement } from '../verdict/index.js'
import { LIMITS } from '../limits.js'
import { warnOfAttachTargets } from './attach-warnings.js'
import { createJsonBudget, type JsonBudget } from './budget.js'
import { groupRecords, type Entry, type EntryText, type Explain } from './entries.js'
import { jsonList, listTexts, writeReport, type ListedRelocation, type ListTexts, type ReportJson } from './json.js'
import { placer, type Places, type PlacesOf } from './places.js'
import { holders, programsOf } from './programs.js'
import { createNewNames } from './reasons/names-in-use.js'
import type { FieldNotes } from './reasons/context.js'
import { storedTypes } from './reasons/own-types.js'
import { explainRecord } from './reasons/explain.js'
import type { Explanation, ModulesWith } from './reasons/reason.js'
import { mostBytesOf, mostProgramBytes, mostRelocationBytes } from './room.js'
import { listWarnings } from './warnings.js'
import type {
  ReportCounts, ReportMembers, ReportPlace, ReportProgram, ReportRelocation, ReportWarning
} from '../wire/report.js'

export interface ReportOptions {
  /** `all` lists every place of every entry; otherwise the first 20 of those that have a value or answer 0, and 1,000 of others. */
  readonly places?: 'some' | 'all'
  /** Modules that have a type which the kernel lacks, and that were not asked with. */
  readonly modulesWith?: ModulesWith
  /** Bytes of JSON that the report may have. */
  readonly maxBytes?: number
  /** Whether nothing is told but what holds for all kernels that lay out the object's types alike: not what programs attach to. */
  readonly isOfLayout?: boolean
}

/** The part of the report that follows from the object and the BTF; callers add hashes, the kernel and the engine. */
export interface RelocationReport extends ReportMembers {
  readonly byte_order: ByteOrder
  readonly changed_instructions: number
}

/** A report, and the JSON of it. */
export interface BuiltReport {
  readonly report: RelocationReport
  /** Made when it is asked for: to write a report takes as long as to make it, and only what goes over the wire is written. */
  readonly json: () => ReportJson
  readonly failure: FailingSummary | undefined
  /** Whether `places: 'all'` would say more. */
  readonly hasMorePlaces: boolean
}

/** What an error says of relocations that keep a program from loading. */
export interface FailingSummary {
  readonly records: number
  /** The first of them: `handle_exec, instruction 12: struct task_struct has no member state in this kernel.` */
  readonly first: string
}

/** Largest report, and the share of it that programs may have. */
const MAX_BYTES = 16 * 1024 * 1024
const PROGRAM_SHARE = 0.25
/** Bytes that the members around the lists take, warnings included. */
const RESERVE = 64 * 1024
/** Assumptions that are listed. A program has a few settings. */
const MAX_ASSUMES = 64
const PLACES = { resolved: 20, absent: 20, poisoned: 1000, failed: 1000 } as const

/**
 * Puts a relocation's outcome into the words of the program's source. Pure; costs about as much as the relocation, on a budget of
 * its own, and never fails for what is in the object.
 */
export function buildReport (object: BpfObject, relocation: Relocation, judgement: Judgement, options: ReportOptions = {}): BuiltReport {
  const maxBytes = options.maxBytes ?? MAX_BYTES
  const holdersOf = holders(object)
  const parts: Parts = {
    object,
    relocation,
    judgement,
    programs: () => programsOf(object, relocation.records, judgement, holdersOf),
    entries: groupRecords(object, relocation, explainer(object, relocation, options.modulesWith ?? (() => []))),
    placesOf: placer(object, relocation, judgement, holdersOf),
    places: options.places ?? 'some',
    isOfLayout: options.isOfLayout ?? false
  }
  const isSmall = parts.entries.length + object.elf.functions.length <= MAX_AT_ONCE
  return (isSmall ? wholeReport(parts, maxBytes) : undefined) ?? fittedReport(parts, maxBytes)
}

/** Entries and functions of an object for which it is tried first whether all of the report has room. */
const MAX_AT_ONCE = 2000
/** Places of such a report: functions with many names have more. */
const MAX_PLACES = 10_000

/** What a report is made of. */
interface Parts {
  readonly object: BpfObject
  readonly relocation: Relocation
  readonly judgement: Judgement
  readonly programs: () => Iterable<ReportProgram>
  readonly entries: readonly Entry[]
  readonly placesOf: PlacesOf
  readonly places: 'some' | 'all'
  readonly isOfLayout: boolean
}

/**
 * The report with all that there is, as nearly every one has it: to see that it has room costs less than to write each part of it.
 * Undefined where there may not be room for it.
 */
function wholeReport (parts: Parts, maxBytes: number): BuiltReport | undefined {
  const { entries, placesOf, places } = parts
  const relocations: ListedRelocation[] = []
  let left = MAX_PLACES
  for (const { text, records } of entries) {
    const listed = placesOf(records, Math.min(left + 1, places === 'all' ? Infinity : PLACES[text.status]))
    left -= listed.places.length
    if (left < 0) return undefined
    relocations.push({ value: toRelocation(text, listed.places, listed.total), isFailing: isFailing(text, listed) })
  }
  const programs = [...parts.programs()]
  const programBytes = mostBytesOf(programs, mostProgramBytes)
  const bytes = programBytes + RESERVE + mostBytesOf(relocations, ({ value }) => mostRelocationBytes(value))
  if (programBytes > maxBytes * PROGRAM_SHARE || bytes > maxBytes) return undefined
  const members = membersOf(parts, programs, { kept: relocations, leftOut: 0 }, maxBytes)
  return builtReport(parts, members, relocations, () => listTexts(programs, relocations))
}

/** The report with what there is room for. */
function fittedReport (parts: Parts, maxBytes: number): BuiltReport {
  const programShare = Math.floor(maxBytes * PROGRAM_SHARE)
  const programBudget = createJsonBudget(programShare)
  const programs = fitPrograms(parts.programs(), programBudget)
  const relocations = fitRelocations(parts, createJsonBudget(maxBytes - RESERVE - (programShare - programBudget.left())))
  const { kept } = relocations
  return builtReport(parts, membersOf(parts, programs.map(({ value }) => value), relocations, maxBytes), kept, () => ({
    programs: jsonList(programs.map(({ json }) => json)),
    relocations: jsonList(kept.map(({ json }) => json)),
    failing: jsonList(kept.flatMap(({ json, isFailing }) => isFailing ? [json] : []))
  }))
}

function membersOf (
  { object, relocation, judgement, isOfLayout }: Parts,
  programs: readonly ReportProgram[],
  { kept, leftOut }: Fitted<ListedRelocation>,
  maxBytes: number
): ReportMembers {
  const relocations = kept.map(({ value }) => value)
  return {
    verdict: judgement.verdict,
    assumes: judgement.assumes.slice(0, MAX_ASSUMES).map(cut),
    loads_without_kernel_btf: !needsKernelBtf(object),
    counts: toCounts(relocation.counts),
    programs,
    relocations,
    warnings: [
      ...listWarnings(object, relocation, relocations),
      ...isOfLayout ? [] : warnOfAttachTargets(object, relocation.target),
      ...truncationWarnings(object.elf.functions.length - programs.length, leftOut, maxBytes)
    ]
  }
}

function builtReport (
  { object, relocation }: Parts, members: ReportMembers, relocations: readonly ListedRelocation[], texts: () => ListTexts
): BuiltReport {
  return {
    report: { byte_order: object.elf.byteOrder, changed_instructions: relocation.changedInstructions, ...members },
    json: () => writeReport(members, texts()),
    failure: summaryOf(relocations),
    hasMorePlaces: relocations.some(({ value }) => value.places.length < value.places_total)
  }
}

function summaryOf (relocations: readonly ListedRelocation[]): FailingSummary | undefined {
  const failing = relocations.filter(entry => entry.isFailing)
  const [first] = failing
  if (first === undefined) return undefined
  const entry = first.value
  const place = entry.places.find(({ reachable }) => reachable !== false) ?? entry.places[0]
  const where = place === undefined ? entry.access : `${place.program || place.section}, instruction ${place.instruction}`
  return {
    records: failing.reduce((sum, { value }) => sum + value.places_total, 0),
    first: `${where}: ${entry.detail ?? entry.reason ?? entry.kind}`
  }
}

interface Encoded<T> {
  readonly value: T
  readonly json: string
}

function fitPrograms (programs: Iterable<ReportProgram>, budget: JsonBudget): Array<Encoded<ReportProgram>> {
  const kept: Array<Encoded<ReportProgram>> = []
  for (const value of programs) {
    const json = budget.spend(value)
    if (json === undefined) break
    kept.push({ value, json })
  }
  return kept
}

/** Whether it keeps a program from loading, or may: it failed, or is poisoned and not shown to be out of reach everywhere. */
function isFailing ({ status }: EntryText, { isReached }: Places): boolean {
  return status === 'failed' || (status === 'poisoned' && isReached)
}

interface Fitted<T> {
  readonly kept: readonly T[]
  readonly leftOut: number
}

/** Entries in their order. Those without a value come first where there is not room for all, and fewer places before no entry. */
function fitRelocations ({ entries, placesOf, places }: Parts, budget: JsonBudget): Fitted<ListedRelocation & Encoded<ReportRelocation>> {
  const fitted: Array<ListedRelocation & Encoded<ReportRelocation> | undefined> = entries.map(() => undefined)
  const hasValue = ({ text: { status } }: Entry): boolean => status === 'resolved' || status === 'absent'
  for (const isSecond of [false, true]) {
    entries.forEach((entry, i) => {
      if (hasValue(entry) !== isSecond) return
      const most = places === 'all' ? Infinity : PLACES[entry.text.status]
      const listed = placesOf(entry.records, Math.ceil(budget.leftUpTo(most * MIN_PLACE_BYTES) / MIN_PLACE_BYTES))
      const found = fitEntry(entry, listed.places, listed.total, budget)
      fitted[i] = found === undefined ? undefined : { ...found, isFailing: isFailing(entry.text, listed) }
    })
  }
  const kept = fitted.filter(entry => entry !== undefined)
  return { kept, leftOut: entries.length - kept.length }
}

/** No place takes less as JSON, so that no more of them need be made than would fit. */
const MIN_PLACE_BYTES = 60

function fitEntry (
  { text }: Entry,
  places: readonly ReportPlace[],
  total: number,
  budget: JsonBudget
): Encoded<ReportRelocation> | undefined {
  for (let count = places.length; ; count = Math.floor(count / 2)) {
    const value = toRelocation(text, count === places.length ? places : places.slice(0, count), total)
    const json = budget.spend(value)
    if (json !== undefined) return { value, json }
    if (count === 0) return undefined
  }
}

/** Names the members one by one, which costs a third of a spread. */
function toRelocation (text: EntryText, places: readonly ReportPlace[], total: number): ReportRelocation {
  return {
    kind: text.kind,
    type: text.type,
    access: text.access,
    access_spec: text.access_spec,
    status: text.status,
    old: text.old,
    new: text.new,
    reason: text.reason,
    detail: text.detail,
    suggestions: text.suggestions,
    places,
    places_total: total
  }
}

/** Reasons on a budget of their own, a part of it for each, so that one strange type does not use up what others need. */
function explainer (object: BpfObject, { target, records }: Relocation, modulesWith: ModulesWith): Explain {
  let left: number = LIMITS.workSteps
  const names = createNewNames(object.btf)
  const fields = new Map<string, FieldNotes>()
  const notesOf = ({ typeId, accessSpec }: RecordOutcome): FieldNotes => {
    const key = `${typeId} ${accessSpec}`
    let notes = fields.get(key)
    if (notes === undefined) fields.set(key, notes = { breaks: [], told: [] })
    return notes
  }
  const missing = new Map<string, Explanation>()
  let stored: ReturnType<typeof storedTypes> | undefined
  const storedIn = (type: TypeId): string | undefined => (stored ??= storedTypes(object.btf)).get(type)
  return (record, remark) => {
    if (record.status === 'resolved' && remark === undefined) return undefined
    const field = notesOf(record)
    const steps = Math.min(left, MAX_STEPS_EACH)
    const work = newWork(steps)
    const found = explainRecord(record, remark, {
      object,
      target,
      records,
      modulesWith,
      names,
      storedIn,
      field,
      missing,
      wantsAdvice: record.status !== 'absent',
      work
    })
    left -= steps - Math.max(0, work.left)
    if (found === undefined || found.suggestions.length === 0) return found
    const alike = field.told.find(({ detail }) => detail === found.detail)
    if (alike === undefined) field.told.push(found)
    return alike === undefined || alike === found ? found : { ...found, suggestions: alike.suggestions }
  }
}

const MAX_STEPS_EACH = 20_000

function truncationWarnings (programs: number, relocations: number, maxBytes: number): ReportWarning[] {
  if (programs === 0 && relocations === 0) return []
  const parts = [...(programs === 0 ? [] : [`${programs} programs`]), ...(relocations === 0 ? [] : [`${relocations} relocations`])]
  return [{
    code: 'report_truncated',
    message: `${parts.join(' and ')} are left out, because a report has at most ${maxBytes} bytes; the counts include them.`
  }]
}

function toCounts ({ failed, ...counts }: OutcomeCounts): ReportCounts { return failed === 0 ? counts : { ...counts, failed } }

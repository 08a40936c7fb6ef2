import { alikePrograms, namesOfAlike } from '../report/alike-programs.js'
import { byAdvice, sharedSentence } from '../report/shared-advice.js'
import type {
  ReportCounts, ReportMembers, ReportPlace, ReportProgram, ReportRelocation, ReportSource, ReportSuggestion, Verdict
} from '../wire/report.js'
import { printable, sourceTable } from './table.js'

/** The part of a report that is shown: what the service answers has it too. */
export type ShownReport = Pick<ReportMembers, 'verdict' | 'counts' | 'programs' | 'relocations'>

/** Paints a text; the identity where there is no colour. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'yellow' | 'red', text: string) => string

const PLAIN: Paint = (_, text) => text
const HEAD = ['INSN', 'KIND', 'ACCESS', 'OLD -> NEW', 'SOURCE']
const COLOURS = { loads: 'green', fails: 'red', unknown: 'yellow' } as const
/** Programs that cannot load come first. */
const ORDER: Readonly<Record<Verdict, number>> = { fails: 0, unknown: 1, loads: 2 }
/** Accesses that a line names. */
const MAX_NAMED = 5

/**
 * Every relocation in a table, program by program, those that fail first. What has no value and is not reached is one line, or two: what
 * waits behind other poison is told apart from what is never reached.
 *
 * @param width of the terminal, to which lines of source are cut
 */
export function reportTables (report: ShownReport, paint: Paint = PLAIN, width?: number): string[] {
  const programs = [...report.programs].sort((a, b) => ORDER[a.verdict] - ORDER[b.verdict])
  const rows = rowsByProgram(report.relocations)
  const groups = [...programs.map(program => ({ program, rows: rows.get(keyOf(program.name, program.section)) ?? [] })),
    { program: undefined, rows: [...rows].flatMap(([key, rows]) => key.startsWith('\0') ? rows : []) }]
  return groups.filter(({ rows }) => rows.length > 0).flatMap(({ program, rows }) => {
    const guarded = rows.filter(({ relocation, places }) => isGuarded(relocation, places))
    const [head = '', ...lines] = sourceTable(HEAD, rows.filter(row => !guarded.includes(row)).map(row => cellsOf(row, paint)), '  ', width)
    return [
      programHeading(program, paint),
      ...(lines.length === 0 ? [] : [paint('dim', head), ...lines]),
      ...unreachedLines(guarded.map(row => ({ ...row, count: row.places.length }))).map(line => `  ${line}`),
      ''
    ]
  })
}

/**
 * What a compiler would say of the relocations that have no value, with the place in the program's source, and what to write
 * instead below it:
 * `exec.bpf.c:41: task_struct.state: struct task_struct has no member state in this kernel.
 * It has __state (instruction 12 of handle_exec poisoned)`.
 * Advice that several share comes first, with them below it: how the program is compiled, and what to do about a type that the kernel
 * does not have. Those that no program can reach alarm nobody: one line for all of them, and one for those that are reached once others
 * are mended.
 *
 * @param objectName stands in for the source where the object has no line for the instruction
 */
export function diagnostics (report: Pick<ShownReport, 'relocations'>, objectName: string, paint: Paint = PLAIN): string[] {
  const valueless = report.relocations.filter(({ status }) => status === 'poisoned' || status === 'failed')
  const guarded = valueless.filter(relocation => isGuarded(relocation, relocation.places))
  const told = valueless.filter(relocation => !guarded.includes(relocation))
  const { shared, others } = byAdvice(told, relocation => relocation)
  const lines = [
    ...shared.flatMap(({ advice, detail, items }) => [
      `${paint('bold', `${printable(objectName)}:`)} ${printable(sharedSentence({ advice, detail }))}`,
      ...codeLines(advice, paint),
      ...items.map((relocation, i) => complaint(relocation, objectName, paint, i === 0 && detail === undefined))
    ]),
    ...others.flatMap(relocation => [complaint(relocation, objectName, paint), ...suggestionLines(relocation, paint)])
  ]
  const unreached = guarded.map(relocation => ({ relocation, places: relocation.places, count: relocation.places_total }))
  return [...lines, ...unreachedLines(unreached).map(line => `${printable(objectName)}: ${line}`)]
}

/**
 * Why programs do not load, or may not, where no line of `diagnostics` is about them: programs that are not decided, and programs that get
 * to poison of a subprogram or of their own. Programs with one reason are one line.
 */
export function verdictLines ({ programs, relocations }: Pick<ShownReport, 'programs' | 'relocations'>, paint: Paint = PLAIN): string[] {
  const told = new Set(relocations.filter(({ status }) => status === 'poisoned' || status === 'failed')
    .flatMap(({ places }) => places.filter(({ reachable }) => reachable !== false).map(place => keyOf(place.program, place.section))))
  const untold = programs.filter(({ verdict, name, section }) =>
    verdict === 'unknown' || (verdict === 'fails' && !told.has(keyOf(name, section))))
  return alikePrograms(untold).map(({ verdict, reason, programs }) => programs.length === 1
    ? programHeading(programs[0], paint)
    : `${paint('bold', printable(namesOfAlike(programs)))}: verdict ${paint(COLOURS[verdict], verdict)}: ${printable(reason)}`)
}

/** `20 resolved, 1 absent, 1 poisoned`; what there is none of is left out. */
export function countsText (counts: Partial<ReportCounts>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`)
  return parts.length === 0 ? 'no relocations' : parts.join(', ')
}

/** `exec.bpf.c:41`; undefined where no line is known. */
export function sourceLine (source: ReportSource | null): string | undefined {
  return source === null ? undefined : `${printable(source.file).replace(/^\.\//, '')}:${source.line}`
}

/** What is told of one entry in one program. */
interface Row {
  readonly relocation: ReportRelocation
  readonly places: readonly ReportPlace[]
}

function keyOf (program: string, section: string): string { return `${program}\0${section}` }

function rowsByProgram (relocations: readonly ReportRelocation[]): Map<string, Row[]> {
  const rows = new Map<string, Row[]>()
  for (const relocation of relocations) {
    const byProgram = new Map<string, ReportPlace[]>()
    for (const place of relocation.places) {
      const key = keyOf(place.program, place.section)
      append(byProgram, key, place)
    }
    for (const [key, places] of byProgram) append(rows, key, { relocation, places })
  }
  for (const list of rows.values()) list.sort((a, b) => (a.places[0]?.instruction ?? 0) - (b.places[0]?.instruction ?? 0))
  return rows
}

function append<T> (lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}

function isGuarded ({ status }: ReportRelocation, places: readonly ReportPlace[]): boolean {
  return status === 'poisoned' && places.length > 0 && places.every(({ reachable }) => reachable === false)
}

/** Where poison lies that no program gets to. */
type Fate = 'behind' | 'perhaps' | 'never'

function fateOf ({ behind_poison: behind }: ReportPlace): Fate { return behind === true ? 'behind' : behind === null ? 'perhaps' : 'never' }

/** What has no value and is not reached: for good, and until poison before it is mended. Places that are not listed count as the first. */
function unreachedLines (rows: ReadonlyArray<Row & { readonly count: number }>): string[] {
  return (['behind', 'perhaps', 'never'] as const).flatMap(fate => {
    const found = rows.filter(({ places }) => places.some(place => fateOf(place) === fate))
    const count = found.reduce((sum, { places, count: total }) => {
      const [first] = places
      const others = first !== undefined && fateOf(first) === fate ? total - places.length : 0
      return sum + others + places.filter(place => fateOf(place) === fate).length
    }, 0)
    return found.length === 0 ? [] : [unreachedText(fate, found.map(({ relocation }) => relocation), count)]
  })
}

function unreachedText (fate: Fate, relocations: readonly ReportRelocation[], count: number): string {
  const accesses = [...new Set(relocations.map(({ access }) => printable(access)))]
  const named = accesses.length > MAX_NAMED
    ? `${accesses.slice(0, MAX_NAMED).join(', ')} and ${accesses.length - MAX_NAMED} more`
    : accesses.join(', ')
  const reached = fate === 'behind' ? (count === 1 ? 'is reached' : 'are reached') : 'may be reached'
  const text = count === 1
    ? `1 relocation has no value and ${fate === 'never'
      ? 'is never reached'
      : `lies behind a poisoned instruction; once that is mended, it ${reached} too`}`
    : `${count} relocations have no value and ${fate === 'never'
      ? 'are never reached'
      : `lie behind poisoned instructions; once those are mended, they ${reached} too`}`
  return `${text}: ${named}`
}

/** @param withReason false: it is told above */
function complaint (relocation: ReportRelocation, objectName: string, paint: Paint, withReason = true): string {
  const { places, places_total: total, status, detail, access } = relocation
  const place = places.find(({ reachable }) => reachable !== false) ?? places[0]
  const line = sourceLine(place?.source ?? null) ?? printable(objectName)
  const where = place === undefined
    ? 'an instruction'
    : `instruction ${place.instruction} of ${printable(place.program) || `section ${printable(place.section)}`}`
  const others = total > 1 ? ` and ${total - 1} more` : ''
  const fate = status === 'poisoned' ? `${where}${others} poisoned` : `${where}${others}: libbpf refuses the object for it`
  const reason = withReason ? `: ${printable(detail ?? 'there is no value for it').replace(/\.$/, '')}` : ''
  return `${paint('bold', `${line}:`)} ${printable(access)}${reason} (${fate})`
}

function suggestionLines ({ suggestions: [first] }: ReportRelocation, paint: Paint): string[] {
  return first === undefined ? [] : [`  ${printable(first.text)}`, ...codeLines(first, paint)]
}

/** Some advice has no code. */
function codeLines ({ code }: ReportSuggestion, paint: Paint): string[] {
  const shown = (line: string): string => paint('dim', `    ${line.replaceAll('\t', '  ').replace(CONTROL, '?')}`)
  return code === '' ? [] : code.split('\n').map(line => line === '' ? '' : shown(line))
}

// eslint-disable-next-line no-control-regex -- names in the code come from an untrusted file
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

function programHeading (program: ReportProgram | undefined, paint: Paint): string {
  if (program === undefined) return paint('bold', 'Outside any program')
  const reason = program.verdict_reason === null ? '' : `: ${printable(program.verdict_reason)}`
  const needs = program.needs_kernel_btf === null ? '' : `, needs kernel BTF: ${printable(program.needs_kernel_btf)}`
  const verdict = paint(COLOURS[program.verdict], program.verdict)
  return `${paint('bold', printable(program.name))} (${printable(program.section)}): verdict ${verdict}${needs}${reason}`
}

function cellsOf ({ relocation, places }: Row, paint: Paint): string[] {
  const [place] = places
  const source = place?.source ?? null
  const text = source === null ? '' : `  ${printable(source.text)}`
  return [
    `${place?.instruction ?? '-'}${places.length > 1 ? ` +${places.length - 1}` : ''}`,
    printable(relocation.kind),
    printable(relocation.access),
    change(relocation, paint),
    `${sourceLine(source) ?? '-'}${text}`
  ]
}

function change ({ status, old, new: now }: ReportRelocation, paint: Paint): string {
  switch (status) {
    case 'resolved': return `${old} -> ${now ?? '?'}`
    case 'absent': return `${old} -> ${now ?? '?'} ${paint('yellow', 'absent')}`
    case 'poisoned': return `${old} -> ${paint('yellow', 'poisoned')}`
    case 'failed': return `${old} -> ${paint('red', 'failed')}`
  }
}

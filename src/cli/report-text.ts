import type { RelocationReport, ReportProgram, ReportRelocation } from '../core/index.js'
import { printable, shorten, table } from './table.js'

/** The part of a report that is shown: what the service answers has it too. */
export type ShownReport = Pick<RelocationReport, 'verdict' | 'counts' | 'programs' | 'relocations'>

/** Paints a text; the identity where there is no colour. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'yellow' | 'red', text: string) => string

const PLAIN: Paint = (_, text) => text
const SOURCE_WIDTH = 60
const HEAD = ['INSN', 'KIND', 'ACCESS', 'OLD -> NEW', 'SOURCE']

/** Every relocation in a table, program by program. */
export function reportTables (report: ShownReport, paint: Paint = PLAIN): string[] {
  const groups = [...report.programs.map(program => ({ program, relocations: report.relocations.filter(belongsTo(program)) })),
    { program: undefined, relocations: report.relocations.filter(({ program }) => program === '') }]
  return groups.filter(({ relocations }) => relocations.length > 0).flatMap(({ program, relocations }) => {
    const [head = '', ...rows] = table(HEAD, relocations.map(relocation => row(relocation, paint)), '  ')
    return [programHeading(program, paint), paint('dim', head), ...rows, '']
  })
}

/**
 * What a compiler would say of the relocations that have no value, one line each, with the place in the program's source:
 * `exec.bpf.c:41: task_struct.state: struct task_struct has no member state in this kernel (instruction 12 of handle_exec poisoned)`.
 *
 * @param objectName stands in for the source where the object has no line for the instruction
 */
export function diagnostics (report: ShownReport, objectName: string, paint: Paint = PLAIN): string[] {
  return report.relocations.filter(({ status }) => status === 'poisoned' || status === 'failed').map(relocation => {
    const place = sourceLine(relocation.source) ?? printable(objectName)
    const where = `instruction ${relocation.instruction} of ${printable(relocation.program) || `section ${printable(relocation.section)}`}`
    const fate = relocation.status === 'poisoned' ? `${where} poisoned` : `${where}: libbpf refuses the object for it`
    const text = printable(relocation.detail ?? 'there is no value for it').replace(/\.$/, '')
    return `${paint('bold', `${place}:`)} ${printable(relocation.access)}: ${text} (${fate})`
  })
}

/** `20 resolved, 1 absent, 1 poisoned`; what there is none of is left out. */
export function countsText (counts: Partial<ShownReport['counts']>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`)
  return parts.length === 0 ? 'no relocations' : parts.join(', ')
}

/** `exec.bpf.c:41`; undefined where no line is known. */
export function sourceLine (source: ReportRelocation['source']): string | undefined {
  return source === null ? undefined : `${printable(source.file).replace(/^\.\//, '')}:${source.line}`
}

function belongsTo (program: ReportProgram): (relocation: ReportRelocation) => boolean {
  return relocation => relocation.program === program.name && relocation.section === program.section
}

function programHeading (program: ReportProgram | undefined, paint: Paint): string {
  if (program === undefined) return paint('bold', 'Outside any program')
  const colour = program.verdict === 'loads' ? 'green' : program.verdict === 'fails' ? 'red' : 'yellow'
  const needs = program.needs_kernel_btf === null ? '' : `, needs kernel BTF: ${printable(program.needs_kernel_btf)}`
  return `${paint('bold', printable(program.name))} (${printable(program.section)}): verdict ${paint(colour, program.verdict)}${needs}`
}

function row (relocation: ReportRelocation, paint: Paint): string[] {
  const text = relocation.source === null ? '' : `  ${printable(relocation.source.text)}`
  return [
    String(relocation.instruction),
    relocation.kind,
    printable(relocation.access),
    change(relocation, paint),
    shorten(`${sourceLine(relocation.source) ?? '-'}${text}`, SOURCE_WIDTH)
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

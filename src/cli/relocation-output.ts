import { basename } from 'node:path'
import type { RelocationReport } from '../report/index.js'
import { writeOutput } from './files.js'
import { countsText, diagnostics, reportTables, verdictLines, type ShownReport } from './report-text.js'
import { printable } from './table.js'
import { paintFor, say, widthOf } from './terminal.js'
import { count } from '../wire/words.js'

/** The report of a relocation, made here or by a service. */
export type PrintedReport = ShownReport & Pick<RelocationReport, 'changed_instructions' | 'assumes'> & {
  readonly warnings: ReadonlyArray<{ readonly message: string }>
}

/** What is found wrong, one line each, and a summary; on a terminal, tables before that. */
export function printForPeople (path: string, report: PrintedReport, kernel: string): void {
  const paint = paintFor(process.stderr)
  const name = path === '-' ? 'standard input' : basename(path)
  if (process.stderr.isTTY) for (const line of reportTables(report, paint, widthOf(process.stderr))) say(line)
  for (const line of [...diagnostics(report, name, paint), ...verdictLines(report, paint)]) say(line)
  for (const { message } of report.warnings) say(`${paint('yellow', 'warning:')} ${printable(message)}`)
  const changed = `${count(report.changed_instructions, 'instruction')} changed`
  say(`${name} for ${kernel}: ${countsText(report.counts)}, ${changed}, verdict ${report.verdict}${assumed(report.assumes)}`)
}

function assumed (assumes: readonly string[]): string {
  return assumes.length === 0 ? '' : `, assuming ${assumes.map(printable).join(', ')}`
}

/** `-` is standard output; undefined: nobody wants the object. */
export function writeResult (output: string | undefined, bytes: Uint8Array): void {
  if (output === '-') process.stdout.write(bytes)
  else if (output !== undefined) writeOutput(output, bytes)
}

import type { ImportedKernel, ImportReport } from '../../import/import-kernels.js'
import { formatReference } from '../../identity/reference.js'
import { printable, table } from '../table.js'
import { paintFor, say } from '../terminal.js'
import { count } from '../../wire/words.js'

/** Hex digits of a hash that people compare. */
const SHORT_HASH = 12

/** A table of what was imported on standard output; what was not, and why, on standard error. */
export function printImport ({ kernels, results, notImported }: ImportReport): void {
  const paint = paintFor(process.stderr)
  if (kernels.length > 0) {
    const [head = '', ...rows] = table(['KERNEL', 'BTF', 'TYPES', 'MODULES', 'STATE'], kernels.map(kernelRow))
    process.stdout.write(`${[paintFor(process.stdout)('dim', head), ...rows].join('\n')}\n`)
  }
  for (const { place, reason, count } of notImported) {
    say(`${paint('yellow', 'not imported:')} ${printable(place)}${count === 1 ? '' : ` and ${count - 1} more`}: ${printable(reason)}`)
  }
  for (const path of results) process.stdout.write(`${path}\n`)
  const modules = kernels.reduce((sum, kernel) => sum + kernel.modules.new + kernel.modules.held, 0)
  const failed = notImported.reduce((sum, { count }) => sum + count, 0)
  const unpacked = results.length === 0 ? '' : `, ${count(results.length, 'relocated object')}`
  const left = failed === 0 ? '' : `, ${count(failed, 'file')} not`
  say(`${count(kernels.length, 'kernel')} with ${count(modules, 'module')} imported or held${unpacked}${left}`)
}

/** The same for programs. Names are those of the HTTP contract. */
export function importJson ({ kernels, results, notImported }: ImportReport): object {
  return {
    kernels: kernels.map(({ reference, kernel, modules }) => ({
      reference: formatReference(reference),
      btf_sha256: kernel?.sha256 ?? null,
      bytes: kernel?.bytes ?? null,
      types: kernel?.types ?? null,
      state: kernel?.state ?? null,
      modules
    })),
    results,
    not_imported: notImported
  }
}

function kernelRow ({ reference, kernel, modules }: ImportedKernel): string[] {
  const moduleCount = modules.new + modules.held
  return [
    formatReference(reference),
    kernel?.sha256.slice(0, 'sha256:'.length + SHORT_HASH) ?? '-',
    String(kernel?.types ?? '-'),
    String(moduleCount),
    kernel === undefined || (kernel.state === 'held' && modules.new > 0) ? `${modules.new} new modules` : kernel.state
  ]
}

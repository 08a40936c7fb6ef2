import type { Warning } from '../core/outcome.js'
import { printable } from './table.js'
import { paintFor, say } from './terminal.js'

/**
 * Says what a check does not tell of objects: where there is nothing to relocate, nothing can fail, also where the object was relocated
 * for one kernel, or compiled without the types that would tell what it reads; and libbpf does not open one that calls what is nowhere.
 */
export function warnOfObjects (
  objects: ReadonlyArray<{ readonly name: string, readonly warning?: Pick<Warning, 'message'> | undefined }>
): void {
  const warnings = objects.flatMap(({ name, warning }) => warning === undefined ? [] : [printable(`${name}: ${warning.message}`)])
  for (const warning of new Set(warnings)) say(`${paintFor(process.stderr)('yellow', 'warning:')} ${warning}`)
}

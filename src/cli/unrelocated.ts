import type { Warning } from '../core/outcome.js'
import { paintFor, say } from './terminal.js'

/**
 * Says of which objects a check can say nothing: where there is nothing to relocate, nothing can fail, also where the object was
 * relocated for one kernel, or compiled without the types that would tell what it reads.
 */
export function warnOfUnrelocated (
  objects: ReadonlyArray<{ readonly name: string, readonly warning?: Pick<Warning, 'message'> | undefined }>
): void {
  const warnings = objects.flatMap(({ name, warning }) => warning === undefined ? [] : [`${name}: ${warning.message}`])
  for (const warning of new Set(warnings)) say(`${paintFor(process.stderr)('yellow', 'warning:')} ${warning}`)
}

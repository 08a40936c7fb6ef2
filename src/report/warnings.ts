import type { BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { ReportRelocation, ReportWarning } from '../wire/report.js'

/** Warnings of one kind that are told one by one. */
const MAX_OF_A_KIND = 20

/** What a user should know of a result that is good otherwise: what the engine saw, and reads that get a wrong value. */
export function listWarnings (_object: BpfObject, { warnings }: Relocation, relocations: readonly ReportRelocation[]): ReportWarning[] {
  const strange = relocations.filter(({ reason, status }) =>
    status === 'resolved' && (reason === 'bitfield_read_plainly' || reason === 'opcode_invalid'))
  const told = strange.slice(0, MAX_OF_A_KIND).map(({ reason, detail, places, places_total: total, suggestions }) => {
    const [place] = places
    const more = total > 1 ? ` and ${total - 1} more` : ''
    const where = place === undefined ? '' : `${place.program}, instruction ${place.instruction}${more}: `
    const [suggestion] = suggestions
    const advice = suggestion === undefined ? '' : ' Read it with BPF_CORE_READ_BITFIELD_PROBED().'
    return { code: reason ?? '', message: `${where}${detail ?? ''}${advice}` }
  })
  return strange.length > told.length
    ? [...warnings, ...told, {
        code: 'more_warnings',
        message: `${strange.length - told.length} more relocations have a value that is wrong for the program; ` +
          'their reasons are in the list.'
      }]
    : [...warnings, ...told]
}

import { resolveSize } from '../../btf/resolve.js'
import { describeAccess, describeType } from '../../core/describe.js'
import { isFieldKind } from '../../core/kinds.js'
import { matchSpec } from '../../core/match-spec.js'
import type { Resolution } from '../../core/resolution.js'
import { calculate } from '../../core/values.js'
import { bytesText } from '../c-text.js'
import type { ReasonContext } from './context.js'
import { listed, type Explanation } from './reason.js'

/** Candidates that are shown. */
const MAX_CANDIDATES = 6

/** Several types of one name that do not say the same, each with what it says. */
export function explainAmbiguous ({ local, candidates }: Resolution, { object, work }: ReasonContext): Explanation {
  const all = candidates.flatMap(candidate => {
    const spec = matchSpec(local, candidate, work)
    if (spec === undefined) return []
    const value = calculate(local, spec, object.elf.byteOrder, work).target?.value ?? 0n
    const size = resolveSize(candidate.btf, candidate.id)
    const answer = isFieldKind(local.kind) ? placeOf(spec.bitOffset) : `with the value ${value}`
    return [`${answer} in type ${candidate.id}${size < 0 ? '' : ` of ${bytesText(size)}`}`]
  })
  const shown = all.length > MAX_CANDIDATES ? [...all.slice(0, MAX_CANDIDATES), `${all.length - MAX_CANDIDATES} more`] : all
  return {
    reason: 'ambiguous',
    detail: `This kernel has several types ${describeType(local.btf, local.rootId, true)}, which do not agree: ` +
      `${describeAccess(local)} is ${listed(shown)}. libbpf refuses to choose.`,
    suggestions: []
  }
}

function placeOf (bits: number): string { return bits % 8 === 0 ? `at byte ${bits / 8}` : `at bit ${bits}` }

import { enumeratorNameOffset, vlenOf, type Btf, type TypeId } from '../../btf/btf.js'
import { essentialName } from '../../btf/find.js'
import { strip } from '../../btf/resolve.js'
import { shownText } from '../../btf/shown-text.js'
import { step, type Work } from '../../btf/work.js'
import { describeType } from '../../core/describe.js'
import type { Candidate } from '../../core/match-spec.js'
import type { Spec } from '../../core/spec.js'
import type { ReasonContext } from './context.js'
import { keepSearches } from './kept-searches.js'
import { nearNames } from '../../members/near.js'
import { listed, type Explanation } from './reason.js'
import { guardEnumerator, otherEnumerator } from './snippets.js'

/** The enum is there, without that enumerator. */
export function explainEnumerator (local: Spec, candidate: Candidate, context: ReasonContext): Explanation {
  const offset = local.accessors[0]?.name
  const name = offset === undefined ? '' : shownText(local.btf, offset)
  // As libbpf compares it: without its flavour, as the type's own name is told.
  const sought = offset === undefined ? '' : name.slice(0, essentialName(local.btf, offset).length)
  const near = nearEnumerators(candidate.btf, candidate.id, sought, context.work)
  const [best] = near
  return {
    reason: 'enumerator_missing',
    detail: `${describeType(local.btf, local.rootId, true)} has no enumerator ${sought} in this kernel.` +
      (near.length === 0 ? '' : ` It has ${listed(near)}.`),
    suggestions: [...(best === undefined ? [] : [otherEnumerator(local, name, best, context)]), guardEnumerator(local, name)]
  }
}

const nearEnumerators = keepSearches<readonly string[]>((btf, id, name, work) => nearNames(name, enumeratorsOf(btf, id, work)))

function enumeratorsOf (btf: Btf, id: TypeId, work: Work): string[] {
  const type = strip(btf, id, work)
  return Array.from({ length: vlenOf(btf, type) }, (_, index) => {
    step(work)
    return shownText(btf, enumeratorNameOffset(btf, type, index))
  })
}

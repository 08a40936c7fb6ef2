import { isEmptyString, kindOf, nameOffsetOf, type Btf, type TypeId } from '../btf/btf.js'
import { essentialName, findCandidates } from '../btf/find.js'
import type { Work } from '../btf/work.js'
import { fault } from './fault.js'
import type { Candidate } from './match-spec.js'

/** The kernel to relocate for. */
export interface Target {
  /** vmlinux, or any BTF that stands for it. */
  readonly btf: Btf
  /** Split BTF of modules, in the kernel's BTF id order. */
  readonly modules: readonly Btf[]
}

/**
 * Types of the root's kind and essential name: libbpf's bpf_core_find_cands. Modules are consulted only where vmlinux has
 * none of that name, even if none of vmlinux's fits later.
 *
 * @throws AppError `relocation_failed` (EINVAL) for a root without a name
 */
export function searchCandidates (local: Btf, rootId: TypeId, target: Target, work: Work): readonly Candidate[] {
  const nameOffset = nameOffsetOf(local, rootId)
  if (isEmptyString(local, nameOffset)) {
    throw fault('EINVAL', 'root_anonymous',
      `The relocated type (id ${rootId}) has no name, so libbpf cannot find it in the kernel. Give the type a name.`)
  }
  const kind = kindOf(local, rootId)
  const name = essentialName(local, nameOffset, work)
  const main = findCandidates(target.btf, kind, name, false, work)
  if (main.length > 0) return main.map(id => ({ btf: target.btf, id }))
  return target.modules.flatMap(btf => findCandidates(btf, kind, name, true, work).map(id => ({ btf, id })))
}

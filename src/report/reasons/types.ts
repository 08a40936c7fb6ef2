import { BtfKind } from '../../btf/constants.js'
import { isComposite, kindName, kindOf, nameOf, nameOffsetOf } from '../../btf/btf.js'
import { essentialName, findCandidates, nameBytesOf } from '../../btf/find.js'
import { describeAccess, describeType } from '../../core/describe.js'
import { CoreReloKind, isFieldKind } from '../../core/kinds.js'
import { matchSpec, type Candidate } from '../../core/match-spec.js'
import type { Resolution } from '../../core/resolution.js'
import type { Spec } from '../../core/spec.js'
import { resolveSize } from '../../btf/resolve.js'
import { bytesText } from '../c-text.js'
import { isContext, missingTarget } from './attach.js'
import type { ReasonContext } from './context.js'
import { firstDifference } from './difference.js'
import { explainInterface } from './interface-types.js'
import { declareOwn, LAYOUT_SUPPLIED } from './own-types.js'
import { shownName } from '../../btf/shown-text.js'
import { findPath } from '../../members/paths.js'
import { otherTypeNamesOf } from '../../members/renames.js'
import { listed, type Explanation } from './reason.js'
import { otherArchitecture } from './object-architecture.js'
import { otherRegisters } from './registers.js'
import { accessPath, guardType, readElsewhere } from './snippets.js'

/**
 * The kinds that two types of one name are mistaken for in practice: a typedef for its struct, a forward declaration for the
 * definition.
 */
const MISTAKABLE_KINDS = [BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.TYPEDEF, BtfKind.FWD]
const KIND_TEXTS: ReadonlyMap<number, string> = new Map([
  [BtfKind.STRUCT, 'a struct'], [BtfKind.UNION, 'a union'], [BtfKind.ENUM, 'an enum'], [BtfKind.TYPEDEF, 'a typedef'],
  [BtfKind.FWD, 'only declared (struct or union, without members)']
])
/** Modules that are named. */
const MAX_MODULES = 5

/**
 * No type of the root's kind and name: as another kind, in a module that was not asked with, or nowhere.
 *
 * @param section of the program
 */
export function explainMissingType (local: Spec, section: string, context: ReasonContext): Explanation {
  const { target, work, modulesWith, storedIn, records } = context
  const type = describeType(local.btf, local.rootId, true)
  const suggestions = [guardType(local)]
  const kind = kindOf(local.btf, local.rootId)
  const name = essentialName(local.btf, nameOffsetOf(local.btf, local.rootId))
  const modules = modulesWith(type)
  if (modules.length > 0) {
    const shown = modules.length > MAX_MODULES ? [...modules.slice(0, MAX_MODULES), `${modules.length - MAX_MODULES} more`] : modules
    return {
      reason: 'type_in_module',
      detail: `The kernel itself has no ${type}; its ${modules.length === 1 ? 'module' : 'modules'} ${listed(shown)} ` +
        `${modules.length === 1 ? 'has' : 'have'} one. ` +
        'Name the module in `modules`, where the node has it loaded before the program.',
      suggestions
    }
  }
  for (const other of MISTAKABLE_KINDS) {
    if (other === kind) continue
    const found = [target.btf, ...target.modules].flatMap(btf => findCandidates(btf, other, name, btf !== target.btf, work))
    if (found.length > 0) {
      return {
        reason: 'type_kind_differs',
        detail: `This kernel has no ${type}; the name is ${KIND_TEXTS.get(other) ?? kindName(other)} there.`,
        suggestions
      }
    }
  }
  const renamed = kind === BtfKind.STRUCT ? otherTypeNamesOf(shownName(local.btf, local.rootId).replace(FLAVOR, '')) : []
  const there = renamed.find(text => [target.btf, ...target.modules].some(btf =>
    findCandidates(btf, kind, nameBytesOf(text), btf !== target.btf, work).length > 0))
  if (there !== undefined) return { reason: 'type_missing', detail: `This kernel has no ${type}. It has struct ${there}.`, suggestions }
  const detail = `This kernel has no ${type}.`
  const registers = otherRegisters(local, undefined, context)
  if (registers !== undefined) return { reason: 'type_missing', ...registers, detail: `${detail} ${registers.detail}` }
  const compiled = otherArchitecture(type, context)
  if (compiled !== undefined) {
    return { reason: 'type_missing', detail: `${detail} ${compiled.detail}`, suggestions: [compiled.suggestion, ...suggestions] }
  }
  const attached = missingTarget(type, section, form => hasOther(form, section, records))
  if (attached !== undefined) {
    return { reason: 'type_missing', detail: `${detail} ${attached.detail}`, suggestions: [attached.suggestion, ...suggestions] }
  }
  const plain = isFieldKind(local.kind) ? explainInterface(local, type) : undefined
  if (plain !== undefined) return { reason: 'type_missing', ...plain }
  // A name with a flavour is one of the kernel's by intent, that of a context by its form; and only accesses to fields are recorded for an
  // attribute of the type.
  const isOfKernel = nameOf(local.btf, local.rootId).includes('___') || isContext(type)
  if (isOfKernel || !isComposite(kind) || !isFieldKind(local.kind)) return { reason: 'type_missing', detail, suggestions }
  const map = storedIn(local.rootId)
  if (map === undefined) {
    return { reason: 'type_missing', detail, suggestions: [...suggestions, declareOwn(local.btf, local.rootId, false)] }
  }
  return {
    reason: 'type_missing',
    detail: `${detail} The program's map ${map} stores it, so it seems to be the program's own type, which no kernel has. ` +
      `It has a value only where ${LAYOUT_SUPPLIED}.`,
    suggestions: [declareOwn(local.btf, local.rootId, true)]
  }
}

/** Whether the programs of a section ask for a type of this form that the kernel has. */
function hasOther (form: RegExp, section: string, records: ReasonContext['records']): boolean {
  return records.some(({ section: own, resolution }) =>
    own === section && resolution !== undefined && resolution.candidates.length > 0 &&
    form.test(describeType(resolution.local.btf, resolution.local.rootId, true)))
}

/** What libbpf leaves out of the name of a type. */
const FLAVOR = /___.*$/

/** The type is there, in another shape. */
export function explainDifferentType (local: Spec, candidate: Candidate, { work }: ReasonContext): Explanation {
  const type = describeType(local.btf, local.rootId, true)
  const suggestions = [guardType(local)]
  if (local.kind !== CoreReloKind.TYPE_MATCHES) {
    return { reason: 'type_differs', detail: `${type} exists in this kernel, but is of another shape than in the object.`, suggestions }
  }
  const difference = firstDifference({ local: local.btf, target: candidate.btf, work }, local.rootId, candidate.id)
  const detail = `${type} exists in this kernel, but does not have everything that the object's declaration has`
  return { reason: 'type_differs', detail: difference === undefined ? `${detail}.` : `${detail}: ${difference}`, suggestions }
}

/**
 * A type of the right name has the field, but an earlier record ruled that type out, because it asked for something that only
 * another type of the name has. Undefined where none of those that were ruled out has it.
 */
export function explainRuledOut ({ local, candidates, pruned }: Resolution, context: ReasonContext): Explanation | undefined {
  const { work, records } = context
  for (const { candidate, by } of pruned) {
    if (matchSpec(local, candidate, work) === undefined) continue
    const kept = candidates.map(({ id, btf }) => `type ${id} of ${bytesText(resolveSize(btf, id))}`)
    const decided = records[by]
    const record = decided?.resolution
    const place = decided === undefined || record === undefined
      ? 'an earlier relocation'
      : `the relocation of ${describeAccess(record.local)} (instruction ${decided.instruction} of ${decided.program})`
    const type = describeType(local.btf, local.rootId, true)
    const path = findPath(candidate.btf, candidate.id, accessPath(local), work)
    const suggestion = path === undefined ? undefined : readElsewhere(local, candidate.btf, candidate.id, path, context)
    return {
      reason: 'type_ruled_out',
      detail: `This kernel has several types ${type}. ${describeAccess(local)} is in type ${candidate.id} ` +
        `of ${bytesText(resolveSize(candidate.btf, candidate.id))}, which ${place} ruled out, ` +
        `because only ${listed(kept)} has that field. Each flavour of the struct is looked up by itself.`,
      suggestions: suggestion === undefined ? [] : [suggestion]
    }
  }
  return undefined
}

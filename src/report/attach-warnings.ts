import { nameOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { findCandidates, nameBytesOf } from '../btf/find.js'
import { findFunctions, hasFunctions } from '../btf/find-functions.js'
import { cut } from '../btf/shown-text.js'
import { newWork, tryWithin } from '../btf/work.js'
import { attachTargets, type AttachTarget } from '../core/attach-targets.js'
import type { Target } from '../core/candidates.js'
import type { BpfObject } from '../core/object.js'
import { LIMITS } from '../limits.js'
import type { ReportWarning } from '../wire/report.js'

/** Targets, and users of one target, that are named. */
const MAX_TARGETS = 20
const MAX_USERS = 3

/**
 * What programs and struct_ops maps attach to and the kernel's BTF does not have. libbpf does not load such an object by itself, whatever
 * the verifier would say of its programs.
 */
export function warnOfAttachTargets (object: BpfObject, target: Target): readonly ReportWarning[] {
  const targets = attachTargets(object)
  if (targets.length === 0) return NONE
  if (target.modules.length > 0) return warningsOf(targets, target)
  let told = known.get(target.btf)
  if (told === undefined || told.size >= MAX_KNOWN) known.set(target.btf, told = new Map())
  const key = targets.map(({ kind, name, users }) => `${kind} ${name} ${users.join(' ')}`).join('\0')
  const held = told.get(key)
  if (held !== undefined) return held
  const warnings = warningsOf(targets, target)
  if (key.length <= MAX_KEY) told.set(key, warnings)
  return warnings
}

/** By what is attached to: small objects are relocated in less time than it takes to look for a function. */
const known = new WeakMap<Btf, Map<string, readonly ReportWarning[]>>()
/** Answers that are kept of a kernel, and characters of what each is kept by. */
const MAX_KNOWN = 128
const MAX_KEY = 4096

const NONE: readonly ReportWarning[] = []

function warningsOf (targets: readonly AttachTarget[], target: Target): readonly ReportWarning[] {
  const missing = missingFrom(targets, target)
  if (missing.length === 0) return NONE
  const named = missing.slice(0, MAX_TARGETS).map(one => ({ one, nearNames: one.kind === 'function' ? namesNear(one.name) : [] }))
  const near = findFunctions(target.btf, named.flatMap(({ nearNames }) => nearNames))
  const texts = named.map(({ one, nearNames }) => textOf(one, nearNames.find(name => near.has(name))))
  const more = missing.length - named.length
  const lacks = missing.some(({ kind }) => kind === 'function') && !hasFunctions(target.btf)
    ? "The kernel's BTF describes no functions, and so not what this object attaches to"
    : `The BTF of the kernel${target.modules.length === 0 ? '' : ' and of the modules that were named'} lacks what this object attaches to`
  return [{
    code: 'attach_target_missing',
    message: `${lacks}: ${texts.join(', ')}${more > 0 ? ` and ${more} more` : ''}. libbpf does not load it there, unless the application ` +
      'leaves these programs or maps out or gives them other targets, or a module that is loaded has what is missing.'
  }]
}

function missingFrom (targets: readonly AttachTarget[], { btf, modules }: Target): AttachTarget[] {
  let left = targets
  for (const one of [btf, ...modules]) {
    const functions = findFunctions(one, left.flatMap(({ kind, name }) => kind === 'function' ? [name] : []))
    left = left.filter(target => target.kind === 'function' ? !functions.has(target.name) : !hasType(one, target))
  }
  const types = new Set(left.map(({ name }) => name))
  // Where an interface is missing, so is what registers it.
  return left.filter(({ name }) => !name.startsWith(REGISTERED) || !types.has(name.slice(REGISTERED.length)))
}

const REGISTERED = 'bpf_struct_ops_'

/** By its whole name: what the kernel has with a flavour is another type to libbpf. Where that takes too long, nothing is said. */
function hasType (btf: Btf, { kind, name }: AttachTarget): boolean {
  const own = kind === 'typedef' ? BtfKind.TYPEDEF : BtfKind.STRUCT
  const candidates = (): readonly TypeId[] =>
    findCandidates(btf, own, nameBytesOf(name), btf.base !== undefined, newWork(LIMITS.workSteps))
  return tryWithin(() => candidates().some(id => nameOf(btf, id) === name), () => true)
}

/** @param near a function that the kernel has instead, mostly */
function textOf ({ kind, name, users }: AttachTarget, near: string | undefined): string {
  const named = users.slice(0, MAX_USERS).map(cut)
  const more = users.length - named.length
  const kernelHas = near === undefined ? '' : `; the kernel has ${cut(near)}`
  return `${kind} ${cut(name)} (${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}${kernelHas})`
}

/** What a function was renamed to, mostly: the part that a wrapper was made around, the wrapper, or the one for folios. */
function namesNear (name: string): readonly string[] {
  const plain = name.replace(/^_+/, '')
  const near = [`__${plain}`, `_${plain}`, plain, `do_${plain}`, plain.replace(/^do_/, ''), name.replace('page', 'folio')]
  return near.filter(other => other !== name && other !== '')
}

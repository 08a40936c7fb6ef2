import type { ByteOrder } from '../bytes/byte-order.js'
import { textOf, type Btf, type TypeId } from '../btf/btf.js'
import { isWorkLimit, type Work } from '../btf/work.js'
import { AppError } from '../errors.js'
import { searchCandidates, type Target } from './candidates.js'
import { fault } from './fault.js'
import { CoreReloKind } from './kinds.js'
import type { Indices } from './member-index.js'
import { matchSpec, type Candidate } from './match-spec.js'
import { parseSpec, type Spec } from './spec.js'
import { calculate, type ReloValue } from './values.js'

/**
 * What an access means in a kernel. Records that ask for the same of the same candidates share one, as long as no record
 * between them narrows the list of candidates; so that reports can group by it.
 */
export interface Resolution {
  /** The access in the object's own BTF. */
  readonly local: Spec
  /** The same in the kernel's, or in a module's: of the first candidate that has it. Undefined where none has it, or libbpf fails. */
  readonly matched: Spec | undefined
  /** Undefined where libbpf fails, as for candidates that disagree. */
  readonly value: ReloValue | undefined
  /** The types of that name that were looked at. None for a local_type_id, which looks at no kernel. */
  readonly candidates: readonly Candidate[]
  /** Types of that name that earlier records ruled out, so that they were not looked at. */
  readonly pruned: readonly PrunedCandidate[]
}

/** A type that has the name, but not what an earlier record of the same root asked for and found in another type. */
export interface PrunedCandidate {
  readonly candidate: Candidate
  /** The record that decided, by its place in Relocation.records. */
  readonly by: number
}

/** A resolution, or the error that libbpf ends with. */
export interface Attempt {
  /** Undefined where the record does not fit the object's own types. */
  readonly resolution: Resolution | undefined
  /** An existence-like kind that answered 0 because nothing matched. */
  readonly isAbsent: boolean
  readonly error: AppError | undefined
  /** The candidates that later records of this root look at. */
  readonly next: CandidateState
}

/**
 * The candidates of one root type at one point of a run. A relocation that matches narrows them to those that matched, so that
 * later relocations of the same type only look at them: libbpf's order-dependent pruning. That makes a new state, and accesses
 * that were resolved belong to the state in which they were: they never outlive it.
 */
export interface CandidateState {
  readonly candidates: readonly Candidate[]
  readonly pruned: readonly PrunedCandidate[]
  /** By kind and string offset of the access. */
  readonly attempts: Map<number, Attempt>
}

/** A query: the kind of a relocation, its root and its access. All three are valid. */
export interface AccessRequest {
  readonly rootId: TypeId
  readonly accessStrOff: number
  readonly kind: CoreReloKind
  /** The record's place in Relocation.records. */
  readonly record: number
}

/** Resolves the accesses of one object for one kernel. */
export interface Resolver {
  /** @throws AppError `relocation_failed` for a root that cannot be searched for */
  candidatesOf(rootId: TypeId): CandidateState
  /** Resolves an access, which may narrow the root's candidates for those after it. */
  resolve(request: AccessRequest): Attempt
  /** A resolver that starts with the same candidates, and from which this one learns nothing. */
  branch(): Resolver
}

export interface ResolverOptions {
  readonly local: Btf
  readonly specs: LocalSpecs
  readonly target: Target
  readonly byteOrder: ByteOrder
  readonly work: Work
  readonly indices: Indices
}

/**
 * Accesses parsed against the object's own BTF, by root type, then by string offset and kind. They follow from the object alone,
 * which is relocated for many kernels.
 */
export type LocalSpecs = Map<TypeId, Map<number, Spec>>

function localSpec ({ local, specs, work }: ResolverOptions, { rootId, accessStrOff, kind }: AccessRequest): Spec {
  let ofRoot = specs.get(rootId)
  if (ofRoot === undefined) specs.set(rootId, ofRoot = new Map())
  const key = accessKey(accessStrOff, kind)
  let spec = ofRoot.get(key)
  if (spec === undefined) ofRoot.set(key, spec = parseSpec(local, rootId, textOf(local, accessStrOff), kind, work))
  return spec
}

function accessKey (accessStrOff: number, kind: CoreReloKind): number { return accessStrOff * 16 + kind }

export function createResolver (
  options: ResolverOptions,
  states = new Map<TypeId, CandidateState>(),
  localStates = new Map<TypeId, CandidateState>()
): Resolver {
  const candidatesOf = (rootId: TypeId): CandidateState => {
    let state = states.get(rootId)
    if (state === undefined) {
      state = stateOf(searchCandidates(options.local, rootId, options.target, options.work), [])
      states.set(rootId, state)
    }
    return state
  }
  const localStateOf = (rootId: TypeId): CandidateState => {
    let state = localStates.get(rootId)
    if (state === undefined) {
      state = stateOf([], [])
      localStates.set(rootId, state)
    }
    return state
  }
  return {
    candidatesOf,
    resolve (request) {
      const isLocal = request.kind === CoreReloKind.TYPE_ID_LOCAL
      const state = isLocal ? localStateOf(request.rootId) : candidatesOf(request.rootId)
      const key = accessKey(request.accessStrOff, request.kind)
      let attempt = state.attempts.get(key)
      if (attempt === undefined) {
        attempt = attemptOf(options, request, state)
        state.attempts.set(key, attempt)
      }
      if (attempt.next !== state) states.set(request.rootId, attempt.next)
      return attempt
    },
    branch: () => createResolver(options, new Map(states), localStates)
  }
}

function stateOf (candidates: readonly Candidate[], pruned: readonly PrunedCandidate[]): CandidateState {
  return { candidates, pruned, attempts: new Map() }
}

/** libbpf's bpf_core_calc_relo_insn from the access string on: spec, matches, agreement, value. */
function attemptOf (options: ResolverOptions, request: AccessRequest, state: CandidateState): Attempt {
  const { byteOrder, work, indices } = options
  const { kind, record } = request
  const { candidates, pruned } = state
  let local: Spec | undefined
  try {
    local = localSpec(options, request)
    if (kind === CoreReloKind.TYPE_ID_LOCAL) {
      const resolution = { local, matched: local, value: calculate(local, local, byteOrder, work), candidates, pruned }
      return { resolution, isAbsent: false, error: undefined, next: state }
    }
    const matching: Candidate[] = []
    let first: Match | undefined
    for (const candidate of candidates) {
      const spec = matchSpec(local, candidate, work, indices)
      if (spec === undefined) continue
      const value = calculate(local, spec, byteOrder, work)
      if (first === undefined) first = { spec, value }
      else requireAgreement(first, { spec, value })
      matching.push(candidate)
    }
    if (first === undefined) {
      const value = calculate(local, undefined, byteOrder, work)
      return {
        resolution: { local, matched: undefined, value, candidates, pruned },
        isAbsent: value.target !== undefined,
        error: undefined,
        next: state
      }
    }
    const resolution = { local, matched: first.spec, value: first.value, candidates, pruned }
    const next = matching.length === candidates.length ? state : narrowed(state, matching, record)
    return { resolution, isAbsent: false, error: undefined, next }
  } catch (error) {
    if (!isFault(error)) throw error
    const resolution = local === undefined ? undefined : { local, matched: undefined, value: undefined, candidates, pruned }
    return { resolution, isAbsent: false, error, next: state }
  }
}

/** An error of one record, after which the others are still looked at. */
export function isFault (error: unknown): error is AppError {
  return error instanceof AppError && (error.code === 'relocation_failed' || error.code === 'btf_invalid') && !isWorkLimit(error)
}

function narrowed ({ candidates, pruned }: CandidateState, matching: readonly Candidate[], by: number): CandidateState {
  const isLeft = new Set(matching)
  return stateOf(matching, [...pruned, ...candidates.filter(candidate => !isLeft.has(candidate)).map(candidate => ({ candidate, by }))])
}

interface Match {
  readonly spec: Spec
  readonly value: ReloValue
}

/**
 * Several types of one name are fine as long as they say the same. Offsets are compared even where only existence was asked, as
 * libbpf does.
 */
function requireAgreement (a: Match, b: Match): void {
  const ids = `types ${a.spec.rootId} and ${b.spec.rootId}`
  if (a.spec.bitOffset !== b.spec.bitOffset) {
    throw fault(
      'EINVAL',
      'ambiguous',
      `This kernel has several types of that name (${ids}), in which the field is at different offsets: ` +
      `${a.spec.bitOffset} and ${b.spec.bitOffset} bits.`
    )
  }
  if (a.value.target?.value !== b.value.target?.value) {
    throw fault(
      'EINVAL',
      'ambiguous',
      `This kernel has several types of that name (${ids}), which give different values: ` +
      `${a.value.target?.value} and ${b.value.target?.value}.`
    )
  }
}

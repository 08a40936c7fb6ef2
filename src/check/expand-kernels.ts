import { AppError } from '../errors.js'
import { formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { OfferedKernels } from '../kernels/catalog/offered-kernels.js'
import type { KernelIndex, KernelNames } from '../kernels/kernel-index.js'
import { createMatcher, findHeld, requirePattern } from '../kernels/matching-kernels.js'
import { recordsOfName } from '../kernels/resolve.js'
import type { Pause } from '../workers/pauses.js'
import type { StateOutcomes } from './state-outcomes.js'
import type { CheckedKernel } from './types.js'

export interface ExpandOptions {
  readonly index: KernelNames & Pick<KernelIndex, 'revision'>
  readonly trustUploads: boolean
  /** What sources list; undefined where there are none. */
  readonly offered?: OfferedKernels | undefined
  /** Most kernels that the patterns may mean. */
  readonly maxKernels: number
  readonly outcomeOf: StateOutcomes
  /** Whether a source can be asked for a kernel that none lists. */
  readonly hasSources: boolean
  readonly signal: AbortSignal
  readonly pause?: Pause | undefined
  /** What names stood for in earlier checks. */
  readonly resolved?: ResolvedKernels | undefined
}

/** What names stood for, as long as the index has the same rows: a check asks for thousands, and the next one for the same. */
export interface ResolvedKernels {
  /** By identity, so that what is remembered goes with the row. */
  readonly byReference: WeakMap<KernelReference, { readonly revision: number, readonly kernel: CheckedKernel }>
  /** All that are held, where each of them stands for something. */
  all?: { readonly revision: number, readonly kernels: readonly ExpandedKernel[] }
}

export function createResolvedKernels (): ResolvedKernels { return { byReference: new WeakMap() } }

/** A kernel of a check, and by which name sources are asked for it where it is not held. */
export interface ExpandedKernel {
  readonly kernel: CheckedKernel
  readonly missing: KernelQuery | undefined
}

/**
 * The kernels that patterns mean, each once, in the order of the patterns and then of the references. A lone `*` is every kernel
 * that is held. Any other pattern is also what sources list. A pattern that means nothing stands for itself, so that a name that is
 * misspelt is never a pass.
 *
 * @throws AppError `invalid_request`, `too_large`
 */
export async function expandKernels (patterns: readonly string[], options: ExpandOptions): Promise<readonly ExpandedKernel[]> {
  for (const pattern of patterns) requirePattern(pattern)
  const { resolved, index } = options
  const revision = index.revision()
  const isAll = patterns.length === 1 && patterns[0] === '*'
  if (isAll && resolved?.all?.revision === revision) return resolved.all.kernels
  const found = new Map<string, ExpandedKernel>()
  const matching = createMatcher(options, options.signal)
  for (const pattern of patterns) {
    let isMatched = false
    for await (const reference of matching(pattern)) {
      isMatched = true
      const expanded = lookUp(reference, options, name => found.has(name))
      if (expanded === undefined) continue
      found.set(expanded.kernel.name, expanded)
      if (found.size > options.maxKernels) throw tooMany(options.maxKernels)
    }
    if (!isMatched && !found.has(pattern)) found.set(pattern, unmatched(pattern, options))
  }
  const kernels = [...found.values()]
  // Sentences are of one check.
  if (isAll && resolved !== undefined && kernels.every(({ kernel }) => 'content' in kernel)) resolved.all = { revision, kernels }
  return kernels
}

/** Looks a kernel up again: after it was fetched. */
export function lookUpAgain (query: KernelQuery, name: string, options: Omit<ExpandOptions, 'maxKernels' | 'signal'>): CheckedKernel {
  return resolved(query, name, options) ?? { name, outcome: options.outcomeOf('unknown_kernel', NOT_HELD) }
}

const NOT_HELD = 'No BTF is held for this kernel, and no source has it.'

/** @returns undefined for a name that is known already */
function lookUp (reference: KernelReference, options: ExpandOptions, isKnown: (name: string) => boolean): ExpandedKernel | undefined {
  const revision = options.index.revision()
  const held = options.resolved?.byReference.get(reference)
  const name = held === undefined ? formatReference(reference) : held.kernel.name
  if (isKnown(name)) return undefined
  const kernel = held?.revision === revision ? held.kernel : resolved(reference, name, options)
  if (kernel !== undefined) {
    if ('content' in kernel) options.resolved?.byReference.set(reference, { revision, kernel }) // sentences are of one check
    return { kernel, missing: undefined }
  }
  const { index, offered, outcomeOf, hasSources } = options
  const sources = offered?.matching(reference).flatMap(({ sources }) => sources) ?? []
  if (sources.length > 0) {
    const reason = `${[...new Set(sources)].join(', ')} offers this kernel, and it is not held: a check that fetches has it.`
    return { kernel: { name, outcome: outcomeOf('not_fetched', reason) }, missing: reference }
  }
  const isUploaded = recordsOfName(index, reference, true).length > 0
  const reason = isUploaded
    ? 'BTF was uploaded under this name, and uploads answer only for their hash here (CORELO_TRUST_UPLOADS).'
    : hasSources
      ? 'No BTF is held for this kernel, and no source lists it: supply its BTF, or have the check fetch it, which asks the sources.'
      : 'No BTF is held for this kernel; supply it.'
  return { kernel: { name, outcome: outcomeOf('unknown_kernel', reason) }, missing: reference }
}

function unmatched (pattern: string, { outcomeOf }: ExpandOptions): ExpandedKernel {
  const reason = pattern === '*' ? 'No kernel is held.' : 'No kernel that is held or offered matches.'
  return { kernel: { name: pattern, outcome: outcomeOf('unknown_kernel', reason) }, missing: undefined }
}

/** What a name stands for; undefined where nothing that is held answers for it. */
function resolved (
  query: KernelQuery,
  name: string,
  { index, trustUploads, outcomeOf }: Pick<ExpandOptions, 'index' | 'trustUploads' | 'outcomeOf'>
): CheckedKernel | undefined {
  const held = findHeld(index, query, trustUploads)
  if (held === undefined) return undefined
  if (held instanceof AppError) return { name, outcome: outcomeOf('error', reasonOf(held, name)) }
  return { name, content: { btf: held.btfSha256, modules: [], release: query.release } }
}

/** A request may say which of several BTFs it means. The pattern of a check cannot. */
function reasonOf (error: AppError, name: string): string {
  const { candidates } = error.details
  if (error.code !== 'kernel_ambiguous' || !Array.isArray(candidates)) return error.message
  const contents = new Set((candidates as ReadonlyArray<{ readonly btf_sha256: string }>).map(({ btf_sha256: hash }) => hash)).size
  return `${name} can mean ${contents} different BTFs, and a check cannot say which: keep the right one with corelo btf import --replace.`
}

function tooMany (limit: number): AppError {
  return new AppError('too_large', `The patterns mean more than ${limit} kernels, which is the most that one check takes; narrow them.`,
    { field: 'kernels', limit })
}

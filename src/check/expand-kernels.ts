import { AppError } from '../errors.js'
import { formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { OfferedKernels } from '../kernels/catalog/offered-kernels.js'
import type { KernelNames } from '../kernels/kernel-index.js'
import { createMatcher, findHeld, requirePattern } from '../kernels/matching-kernels.js'
import { recordsOfName } from '../kernels/resolve.js'
import type { StateOutcomes } from './state-outcomes.js'
import type { CheckedKernel } from './types.js'

export interface ExpandOptions {
  readonly index: KernelNames
  readonly trustUploads: boolean
  /** What sources list; undefined where there are none. */
  readonly offered?: OfferedKernels | undefined
  /** Most kernels that the patterns may mean. */
  readonly maxKernels: number
  readonly outcomeOf: StateOutcomes
  /** Whether a source can be asked for a kernel that none lists. */
  readonly hasSources: boolean
  readonly signal: AbortSignal
}

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
  const found = new Map<string, ExpandedKernel>()
  const matching = createMatcher(options, options.signal)
  for (const pattern of patterns) {
    let isMatched = false
    for await (const reference of matching(pattern)) {
      isMatched = true
      const name = formatReference(reference)
      if (found.has(name)) continue
      found.set(name, lookUp(name, reference, options))
      if (found.size > options.maxKernels) throw tooMany(options.maxKernels)
    }
    if (!isMatched && !found.has(pattern)) found.set(pattern, unmatched(pattern, options))
  }
  return [...found.values()]
}

/** Looks a kernel up again: after it was fetched. */
export function lookUpAgain (query: KernelQuery, name: string, options: Omit<ExpandOptions, 'maxKernels' | 'signal'>): CheckedKernel {
  return resolved(query, name, options) ?? { name, outcome: options.outcomeOf('unknown_kernel', NOT_HELD) }
}

const NOT_HELD = 'No BTF is held for this kernel, and no source has it.'

function lookUp (name: string, reference: KernelReference, options: ExpandOptions): ExpandedKernel {
  const kernel = resolved(reference, name, options)
  if (kernel !== undefined) return { kernel, missing: undefined }
  const { index, offered, outcomeOf, hasSources } = options
  const sources = offered?.matching(reference).flatMap(({ sources }) => sources) ?? []
  if (sources.length > 0) {
    const reason = `${[...new Set(sources)].join(', ')} offers this kernel, and it is not held; fetch=true has it fetched.`
    return { kernel: { name, outcome: outcomeOf('not_fetched', reason) }, missing: reference }
  }
  const isUploaded = recordsOfName(index, reference, true).length > 0
  const reason = isUploaded
    ? 'BTF was uploaded under this name, and uploads answer only for their hash here (CORELO_TRUST_UPLOADS).'
    : hasSources
      ? 'No BTF is held for this kernel, and no source lists it; fetch=true asks the sources, or supply its BTF.'
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
  if (held instanceof AppError) return { name, outcome: outcomeOf('error', held.message) }
  return { name, content: { btf: held.btfSha256, modules: [], release: query.release } }
}

function tooMany (limit: number): AppError {
  return new AppError('too_large', `The patterns mean more than ${limit} kernels, which is the most that one check takes; narrow them.`,
    { field: 'kernels', limit })
}

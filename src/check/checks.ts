import { AppError } from '../errors.js'
import type { Fetching } from '../kernels/fetching.js'
import type { KernelQuery } from '../identity/reference.js'
import { requireObjectHash } from '../relocation/objects.js'
import { compileLater } from '../workers/compile-later.js'
import type { Pause } from '../workers/pauses.js'
import type { CheckedRuns, CheckRun } from '../workers/protocol.js'
import { compared, createBaseline } from './baseline.js'
import type { CellBatch, Cells } from './cells.js'
import { createResolvedKernels, expandKernels, lookUpAgain, type ExpandedKernel, type ExpandOptions } from './expand-kernels.js'
import type { CheckLimits } from './limits.js'
import type { OutcomeKeys } from './outcome-keys.js'
import type { Outcomes } from './outcomes.js'
import type { ComparedRow } from './parse.js'
import { createPlaces } from './places.js'
import { runCheck } from './run-check.js'
import { createStateOutcomes } from './state-outcomes.js'
import { takeObjects, type GivenObject, type TakeObjectsOptions } from './take-objects.js'
import type { CheckedKernel, KernelContent, NamedObject } from './types.js'

/** What one check is asked for. */
export interface CheckRequest {
  /** Content is not to be changed before the answer. */
  readonly objects: readonly GivenObject[]
  /** Patterns of kernels. */
  readonly kernels: readonly string[]
  /** Whether kernels that are not held are fetched. */
  readonly fetch: boolean
  /** An earlier answer. */
  readonly baseline?: readonly ComparedRow[] | undefined
  /** Who asks: callers take turns at sources and at threads. */
  readonly caller?: string | undefined
}

/** A check that has begun: everything that can be refused was. */
export interface Check {
  readonly objects: readonly NamedObject[]
  readonly kernels: number
  /** Objects times kernels. */
  readonly rows: number
  readonly hasBaseline: boolean
  /** To be read once; work goes on only while they are. */
  readonly cells: Cells
  /** Lets requests have the event loop between pieces of the answer. */
  readonly pause?: Pause | undefined
}

export interface Checks {
  /**
   * @throws AppError `invalid_request`, `too_large`, `overloaded`, `rate_limited`,
   * `object_unknown`, `object_invalid` and whatever the signal says
   */
  begin(request: CheckRequest, signal: AbortSignal): Promise<Check>
  stats(): ChecksStats
}

export interface ChecksStats {
  readonly running: number
  readonly rows: number
  readonly relocations: number
  readonly bytes: number
  readonly entries: number
}

export interface ChecksOptions extends Pick<ExpandOptions, 'index' | 'trustUploads' | 'hasSources'>, TakeObjectsOptions {
  readonly offered: () => ExpandOptions['offered']
  readonly fetching?: Pick<Fetching, 'obtain'> | undefined
  readonly keys: OutcomeKeys
  readonly outcomes: Outcomes
  readonly relocate: (content: KernelContent, runs: readonly CheckRun[], caller: string) => Promise<CheckedRuns>
  /** Kernels that one check works on at a time. */
  readonly concurrency: number
  readonly limits: CheckLimits
  /** Lets requests have the event loop. */
  readonly pause?: Pause | undefined
}

export function createChecks (options: ChecksOptions): Checks {
  const { limits } = options
  const counts = { rows: 0, relocations: 0 }
  const places = createPlaces(limits)
  const resolved = createResolvedKernels()

  const prepare = async (request: CheckRequest, signal: AbortSignal): Promise<Check> => {
    requireCounts(request, limits)
    const outcomeOf = createStateOutcomes()
    const asked = { ...options, offered: options.offered(), outcomeOf, resolved }
    const expanded = await expandKernels(request.kernels, { ...asked, maxKernels: limits.kernels, signal })
    const objects = await takeObjects(request.objects, options)
    const rows = objects.length * expanded.length
    if (rows > limits.rows) {
      throw new AppError('too_large',
        `${objects.length} objects on ${expanded.length} kernels are ${rows} rows; at most ${limits.rows} are answered at once. ` +
        'Ask for fewer kernels, or for the objects one after the other.',
        { rows, limit: limits.rows })
    }
    const isToFetch = ({ missing }: ExpandedKernel): boolean => request.fetch && options.hasSources && missing !== undefined
    const missing = expanded.filter(isToFetch)
    const fetches = missing.map(({ kernel: { name }, missing: query }, i) => async (): Promise<CheckedKernel> =>
      query === undefined || i >= limits.fetches
        ? { name, outcome: outcomeOf('not_fetched', tooManyFetches(limits.fetches)) }
        : await fetchKernel(query, name, { ...asked, offered: undefined }, request.caller))
    const cells = runCheck({
      ...options,
      objects,
      kernels: missing.length === 0 ? kernelsOf(expanded) : expanded.filter(kernel => !isToFetch(kernel)).map(({ kernel }) => kernel),
      fetches,
      outcomeOf,
      signal,
      caller: callerOf(request),
      relocate: async (content, runs) => {
        counts.relocations += runs.length
        return await options.relocate(content, runs, callerOf(request))
      }
    })
    const hasBaseline = request.baseline !== undefined
    return {
      objects,
      kernels: expanded.length,
      rows,
      hasBaseline,
      pause: options.pause,
      cells: request.baseline === undefined ? cells : compared(cells, createBaseline(request.baseline))
    }
  }

  const fetchKernel = async (
    query: KernelQuery, name: string, asked: Parameters<typeof lookUpAgain>[2], caller: string | undefined
  ): Promise<CheckedKernel> => {
    try {
      await options.fetching?.obtain(query, [], caller, limits.fetchMs)
      return lookUpAgain(query, name, asked)
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'draining') throw error
      const state = error.code === 'fetching' ? 'not_fetched' : error.code === 'kernel_unknown' ? 'unknown_kernel' : 'error'
      return { name, outcome: asked.outcomeOf(state, error.message) }
    }
  }

  const counted = async function * (cells: Cells, end: () => void): AsyncGenerator<CellBatch> {
    try {
      for await (const batch of cells) {
        counts.rows += batch.length
        yield batch
      }
    } finally {
      end()
    }
  }

  return {
    async begin (request, signal) {
      const leavePlace = places.take(callerOf(request))
      const compileAsUsual = compileLater()
      const ending = new AbortController()
      const timer = setTimeout(() => { ending.abort(tooLong(limits.timeMs)) }, limits.timeMs).unref()
      const leave = (): void => {
        leavePlace()
        compileAsUsual()
        clearTimeout(timer)
      }
      signal.addEventListener('abort', leave, { once: true })
      try {
        const check = await prepare(request, AbortSignal.any([signal, ending.signal]))
        return { ...check, cells: counted(check.cells, leave) }
      } catch (error) {
        leave()
        throw error
      }
    },
    stats: () => ({
      ...counts,
      running: places.taken,
      bytes: options.outcomes.bytes + options.keys.bytes,
      entries: options.outcomes.entries
    })
  }
}

const listsOf = new WeakMap<readonly ExpandedKernel[], readonly CheckedKernel[]>()

/** The same list for the same kernels, so that what is made of it is made once for checks of one fleet. */
function kernelsOf (expanded: readonly ExpandedKernel[]): readonly CheckedKernel[] {
  const kernels = listsOf.get(expanded) ?? expanded.map(({ kernel }) => kernel)
  listsOf.set(expanded, kernels)
  return kernels
}

/** A command has no callers but itself. */
function callerOf ({ caller = '' }: CheckRequest): string { return caller }

function tooLong (ms: number): AppError {
  return new AppError('deadline_exceeded', `The check took longer than ${ms / 1000} s; ask for fewer kernels or objects at once.`,
    { deadline_ms: ms })
}

function tooManyFetches (limit: number): string {
  return `At most ${limit} kernels are fetched for one check; ask again for the others.`
}

function requireCounts ({ objects, kernels }: CheckRequest, limits: CheckLimits): void {
  if (objects.length === 0) throw invalid('object', 'The request has no object; send at least one as the part object.')
  if (kernels.length === 0) {
    throw invalid('kernels', 'The request names no kernels; send a pattern as the part kernels, such as ubuntu/20.04/x86_64/*, or *.')
  }
  for (const { content } of objects) if (typeof content === 'string') requireObjectHash(content)
  if (objects.length > limits.objects) {
    throw new AppError('too_large', `The request has ${objects.length} objects; at most ${limits.objects} are checked at once.`,
      { field: 'object', limit: limits.objects })
  }
  if (kernels.length > limits.patterns) {
    throw new AppError('too_large', `The request has ${kernels.length} patterns of kernels; at most ${limits.patterns} are taken.`,
      { field: 'kernels', limit: limits.patterns })
  }
}

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }

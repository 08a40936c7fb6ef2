import { LRUCache } from 'lru-cache'
import { AppError } from '../errors.js'
import { atMost } from '../store/at-most.js'
import type { KernelIndex } from './kernel-index.js'
import type { KernelRecord } from './kernel-record.js'
import { isSameBuild, type WantedBuild } from './matches.js'
import { createFairShare } from '../workers/fair-share.js'
import { createJointWork } from '../workers/joint-work.js'
import { createOutcomes } from '../fetch/refusals.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { recordsOfName } from './resolve.js'
import type { FetchJobs } from './fetch-jobs.js'
import type { KernelSource } from './sources/source.js'
import type { Refusal } from '../fetch/refusal.js'
import type { BtfAccess } from './btf-access.js'
import { createFetchedKernels, type FetchedKernels } from './fetched-kernels.js'
import { createKeepFound } from './keep-found.js'
import { createKeepModules } from './keep-modules.js'
import type { SourceSettings, Warn } from '../settings/service-options.js'
import { sourceError, type AskedSource } from './source-error.js'
import { createSourceRequests, isRefusal, queryKey } from './source-requests.js'

export interface FetchingOptions {
  /** In the order in which they are asked. */
  readonly sources: readonly KernelSource[]
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  /** Name of this service among others. */
  readonly self: string
  readonly trustUploads: boolean
  readonly settings: SourceSettings
  readonly warn: Warn
  readonly jobs: FetchJobs
}

/** Brings kernels that are not held from the sources into the index and the store. */
export interface Fetching extends FetchedKernels {
  /**
   * Asks the sources for all kernels that a query can mean. Afterwards the index knows those that were found. Any number of
   * callers wait for one asking, and any of them may leave.
   *
   * @param via services through which the question came
   * @param caller on whose behalf sources are asked: callers take turns
   * @param waitMs milliseconds that the caller wants to wait for a fetch that takes longer than a request
   * @param isAhead whether nobody needs the kernel yet, so that what takes long comes after what somebody waits for
   * @returns what the sources said of the kernels that none has
   * @throws AppError `source_failed`, `source_timeout`, `source_invalid` where a source may have one that it did not give;
   * `rate_limited`, `overloaded`, `fetching`
   */
  obtain(query: KernelQuery, via?: readonly string[], caller?: string, waitMs?: number, isAhead?: boolean): Promise<readonly AskedSource[]>
  /**
   * Whether these, which are all that the index has for the query, are all that it can mean. What was supplied by whole names says
   * nothing of other kernels with the same release, whoever supplied it.
   */
  isComplete(query: KernelQuery, records: readonly KernelRecord[]): boolean
  /** `listener` is told of each kernel that is put into index and store from now on. */
  onKept(listener: (reference: KernelReference) => void): void
  stats(): FetchingStats
  close(): void
}

export interface FetchingStats {
  readonly requests: ReadonlyArray<{ readonly source: string, readonly outcome: string, readonly count: number }>
  /** Calls that wait for sources, those of callers who left included. */
  readonly waiters: number
}

const DEADLINE_MS = 120_000
/** A query that can mean more kernels than this is not tried out. */
const MAX_CANDIDATES = 64
const MAX_COMPLETE = 10_000
/** Kernels that are asked for at a time. An origin gets six connections, of which one caller must not have all. */
const SHARES = { running: 3, allRunning: 12, waiting: 29, allWaiting: 512 } as const
/** In whose name kernels are asked for ahead: no caller has less for it. */
const AHEAD = 'ahead of all callers'
const STALE_MS = 24 * 3_600_000
const FORWARDED_MS = 60_000

export function createFetching (options: FetchingOptions): Fetching {
  const { sources, index, btfs, self, trustUploads, warn, settings, jobs } = options
  const staleMs = settings.staleMs ?? STALE_MS
  const complete = new LRUCache<string, true>({ ...atMost(MAX_COMPLETE), ttl: staleMs })
  const shares = createFairShare(SHARES)
  const askings = createJointWork<readonly AskedSource[]>(shares)
  /** Another service gets kernels all the time: what it listed is all that it has only for a while. */
  const hasForwarding = sources.some(({ isForwarding }) => isForwarding === true)
  const forwardedMs = Math.max(1, settings.forwardedMs ?? FORWARDED_MS)
  const keptListeners: Array<(reference: KernelReference) => void> = []
  let waiters = 0

  const keepFound = createKeepFound({ index, btfs, warn })
  const keepModules = createKeepModules({ index, btfs })
  const requests = createSourceRequests({
    outcomes: createOutcomes(settings.lifetimes),
    deadlineMs: settings.deadlineMs ?? DEADLINE_MS,
    async keep (found, source) {
      await keepFound(found, source)
      for (const listener of keptListeners) listener(found.reference)
    },
    keepModules
  })
  const fetched = createFetchedKernels({
    sources,
    requests,
    keepModules,
    index,
    btfs,
    staleMs,
    trustUploads,
    warn,
    jobs,
    inTurn: createJointWork<void>(shares).run
  })

  /** Whether something answers for the name of a kernel, and for its build where one is meant. */
  const isHeld = (wanted: KernelReference & WantedBuild): boolean => recordsOfName(index, wanted, trustUploads)
    .some(record => isSameBuild(wanted, record, trustUploads))

  const obtainOne = async (
    wanted: KernelReference & WantedBuild,
    via: readonly string[],
    listedBy?: ReadonlySet<KernelSource>
  ): Promise<AskedSource[]> => {
    const asked: AskedSource[] = []
    const kernel = formatReference(wanted)
    if (isHeld(wanted)) return []
    const hasOtherBuild = recordsOfName(index, wanted, trustUploads).length > 0
    for (const source of sources) {
      if (hasOtherBuild && source.tellsBuilds !== true) {
        asked.push({ source: source.name, kernel, refusal: NOT_BUILDS })
        continue
      }
      const refusal = await requests.kernel(source, wanted, via, source.isForwarding === true && listedBy?.has(source) === true)
      if (!isRefusal(refusal)) return []
      asked.push({ source: source.name, kernel, refusal })
    }
    return asked
  }

  /** All kernels that the sources may have under the query. */
  const findCandidates = async (query: KernelQuery, via: readonly string[]): Promise<{
    references: KernelReference[]
    listedBy: ReadonlyMap<string, ReadonlySet<KernelSource>>
    asked: AskedSource[]
  }> => {
    const references = new Map<string, KernelReference>()
    const listedBy = new Map<string, Set<KernelSource>>()
    const asked: AskedSource[] = []
    for (const source of sources) {
      const found = await requests.candidates(source, query, via)
      if (isRefusal(found)) asked.push({ source: source.name, kernel: formatQuery(query), refusal: found })
      else if (found.references.length === 0) {
        const refusal = source.isForwarding === true ? NOT_LISTED : NOT_NAMED
        asked.push({ source: source.name, kernel: formatQuery(query), refusal })
      } else {
        for (const reference of found.references) {
          const name = formatReference(reference)
          references.set(name, reference)
          listedBy.set(name, (listedBy.get(name) ?? new Set()).add(source))
        }
      }
    }
    if (references.size > MAX_CANDIDATES) {
      throw new AppError('kernel_ambiguous',
        `Release ${query.release} can be that of ${references.size} kernels; name the whole reference.`,
        { kernel: formatQuery(query), candidates: [...references.keys()].slice(0, MAX_CANDIDATES).map(reference => ({ reference })) })
    }
    return { references: [...references.values()], listedBy, asked }
  }

  const obtainRelease = async (query: KernelQuery, via: readonly string[]): Promise<readonly AskedSource[]> => {
    const { references, listedBy, asked } = await findCandidates(query, via)
    const build = {
      ...(query.kernelVersion === undefined ? {} : { kernelVersion: query.kernelVersion }),
      ...(query.buildId === undefined ? {} : { buildId: query.buildId })
    }
    const refused = await Promise.all(references.map(reference =>
      obtainOne({ ...reference, ...build }, via, listedBy.get(formatReference(reference)))))
    const all = [...asked, ...refused.flatMap((answers, i) => {
      const [reference] = references.slice(i, i + 1)
      return reference !== undefined && isHeld(reference) ? [] : answers
    })]
    requireNoneOpen(query, all)
    complete.set(completeKey(query), true, { ttl: hasForwarding ? forwardedMs : staleMs })
    if (!hasForwarding && query.distro === undefined && query.distroVersion === undefined && query.arch === undefined &&
      query.kernelVersion === undefined && query.buildId === undefined) {
      const releaseAskedAt = new Date().toISOString()
      await Promise.all(index.byRelease(query.release).map(record => index.put({ ...record, releaseAskedAt })))
    }
    return all
  }

  return {
    ...fetched,
    async obtain (query, via = [], caller = '', waitMs = 0, isAhead = false) {
      if (sources.length === 0) return []
      if (via.includes(self)) return [{ source: 'upstream', kernel: formatQuery(query), refusal: ASKED_BY_ITSELF }]
      waiters++
      try {
        const key = `${completeKey(query)} via ${via.join()}`
        const asking = askings.run(key, isAhead ? AHEAD : caller, async () => {
          if (!isWholeReference(query)) return await obtainRelease(query, via)
          const asked = await obtainOne(query, via)
          requireNoneOpen(query, asked)
          return asked
        })
        return await jobs.race(query, asking, waitMs, isAhead)
      } finally {
        waiters--
      }
    },
    isComplete (query, records) {
      if (isWholeReference(query) || sources.length === 0) return true
      return complete.has(completeKey(query)) || (!hasForwarding && records.some(({ releaseAskedAt }) => releaseAskedAt !== undefined))
    },
    onKept (listener) { keptListeners.push(listener) },
    stats: () => ({ requests: requests.stats(), waiters }),
    close () { requests.close() }
  }
}

/** Tells queries apart by all that they say. */
function completeKey (query: KernelQuery): string { return `${queryKey(query)} ${query.kernelVersion ?? ''} ${query.buildId ?? ''}` }

const NOT_BUILDS: Refusal = { state: 'absent', answer: 'not asked: it does not tell the builds of a release apart' }
const NOT_NAMED: Refusal = { state: 'absent', answer: 'not asked: the release alone does not say of which distribution it is' }
const NOT_LISTED: Refusal = { state: 'absent', answer: 'lists no kernel of this release' }
/** Answered for a moment only: this service is asking others right now, and may know more soon. */
const ASKED_BY_ITSELF: Refusal = {
  state: 'absent',
  answer: 'not asked: the question came through this service already',
  retryAfterMs: 30_000
}

function requireNoneOpen (query: KernelQuery, asked: readonly AskedSource[]): void {
  const error = sourceError(formatQuery(query), asked)
  if (error !== undefined) throw error
}

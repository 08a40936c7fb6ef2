import { AppError } from '../errors.js'
import { createErrand, type Errand } from '../fetch/lanes.js'
import { matchesName } from './matches.js'
import { formatQuery, formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'

/** How far a fetch is that takes longer than a request may. */
export interface FetchProgress {
  /** What is being done: `index` (which packages there are), `queued`, `package`. */
  readonly phase: 'index' | 'queued' | 'package'
  /** Bytes that have come, and that will have. */
  readonly bytes: number
  readonly total: number | undefined
}

/** Done ahead where all who wait for it at its begin said so. */
export interface FetchJob extends Errand {
  report(progress: FetchProgress): void
  end(): void
}

/**
 * Fetches that go on by themselves however long they take. Who asks for a kernel meanwhile is told how far its fetch is, instead of
 * being kept waiting for longer than it said that it would.
 */
export interface FetchJobs {
  begin(what: KernelQuery): FetchJob
  /**
   * The work, or an error as soon as a job for what the query means is running and the caller has waited long enough.
   *
   * @param waitMs milliseconds that the caller wants to wait for a job
   * @param isAhead whether nobody needs the kernel yet, so that a job for it comes after those for which somebody waits
   * @throws AppError `fetching`, and what the work throws
   */
  race<T>(query: KernelQuery, work: Promise<T>, waitMs: number, isAhead?: boolean): Promise<T>
  list(): ReadonlyArray<FetchProgress & { readonly kernel: string }>
}

interface Running {
  readonly what: KernelQuery
  readonly started: number
  readonly errand: ReturnType<typeof createErrand>
  progress: FetchProgress
}

/** Who waits for a kernel. */
interface Racer {
  readonly query: KernelQuery
  readonly isAhead: boolean
  readonly look: () => void
}

/** What Retry-After says in seconds, at least and at most, and where nothing can be said of a job yet. */
const LEAST_RETRY_S = 1
const MOST_RETRY_S = 30
const FIRST_RETRY_S = 3

export function createFetchJobs (): FetchJobs {
  const running = new Set<Running>()
  const racers = new Set<Racer>()

  const isFor = ({ what }: Pick<Running, 'what'>, query: KernelQuery): boolean => {
    return what.release === query.release && isCompatible(what, query)
  }
  const jobOf = (query: KernelQuery): Running | undefined => [...running].find(job => isFor(job, query))

  return {
    begin (what) {
      const waiting = [...racers].filter(({ query }) => isFor({ what }, query))
      const errand = createErrand(waiting.length > 0 && waiting.every(({ isAhead }) => isAhead))
      const job: Running = { what, started: performance.now(), errand, progress: { phase: 'index', bytes: 0, total: undefined } }
      running.add(job)
      for (const { look } of racers) look()
      return {
        get isAhead () { return errand.isAhead },
        onAwaited: errand.onAwaited,
        report (progress) { job.progress = progress },
        end () { running.delete(job) }
      }
    },
    race: async (query, work, waitMs, isAhead = false) => await new Promise((resolve, reject) => {
      const asked = performance.now()
      let timer: NodeJS.Timeout | undefined
      const stop = (): void => {
        clearTimeout(timer)
        racers.delete(racer)
      }
      const look = (): void => {
        const job = jobOf(query)
        if (job === undefined) return
        const left = asked + waitMs - performance.now()
        clearTimeout(timer)
        if (left > 0) {
          timer = setTimeout(look, left)
          return
        }
        stop()
        reject(fetching(query, job))
      }
      const racer: Racer = { query, isAhead, look }
      racers.add(racer)
      if (!isAhead) for (const job of running) if (isFor(job, query)) job.errand.await()
      work.then(value => { stop(); resolve(value) }, (error: unknown) => { stop(); reject(error) })
      // Not at once: what is known already comes first.
      setImmediate(() => { if (racers.has(racer)) look() })
    }),
    list: () => [...running].map(({ what, progress }) => ({ kernel: formatQuery(what), ...progress }))
  }
}

function isCompatible (what: KernelQuery, query: KernelQuery): boolean {
  const { distro, distroVersion, arch } = what
  return distro === undefined || distroVersion === undefined || arch === undefined ||
    matchesName(query, toReference(what, { distro, distroVersion, arch }))
}

function toReference ({ release }: KernelQuery, platform: Omit<KernelReference, 'release'>): KernelReference {
  return { ...platform, release }
}

function fetching (query: KernelQuery, { what, started, progress }: Running): AppError {
  const { phase, bytes, total } = progress
  const elapsed = (performance.now() - started) / 1000
  const left = phase === 'package' && total !== undefined && bytes > 0 ? (total - bytes) / (bytes / elapsed) : FIRST_RETRY_S
  const retryAfter = Math.min(MOST_RETRY_S, Math.max(LEAST_RETRY_S, Math.ceil(left)))
  const kernel = formatQuery(query)
  const doing = phase === 'package'
    ? `its package is being downloaded${total === undefined ? '' : ` (${percent(bytes, total)} %)`}`
    : phase === 'queued' ? 'its package waits for other downloads' : 'the indexes of the package repositories are being read'
  const message = `Kernel ${kernel} is being fetched: ${doing}; ` +
    `try again after ${retryAfter} s, or say with Prefer: wait=<seconds> how long to wait.`
  return new AppError('fetching', message, {
    kernel,
    fetching: isWhole(what) ? formatReference(what) : formatQuery(what),
    retry_after: retryAfter,
    progress: { phase, bytes, total: total ?? null }
  })
}

function isWhole (what: KernelQuery): what is KernelQuery & KernelReference {
  return what.distro !== undefined && what.distroVersion !== undefined && what.arch !== undefined
}

function percent (bytes: number, total: number): number { return Math.min(100, Math.floor(100 * bytes / Math.max(1, total))) }

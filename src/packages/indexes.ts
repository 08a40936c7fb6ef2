import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.js'
import { createHttpClient, type HttpClient } from '../fetch/http-client.js'
import { createErrand, createLanes, type Errand } from '../fetch/lanes.js'
import type { Network } from '../network/network.js'
import type { FetchLimits } from '../fetch/limits.js'
import type { Refusal } from '../fetch/refusal.js'
import { createSingleFlight } from '../store/single-flight.js'
import { refreshApt, refused, type Refreshed } from './refresh-apt.js'
import { refreshRpm } from './refresh-rpm.js'
import type { IndexedRepository, Repository } from './repository.js'
import { readIndexCopy, writeIndexCopy, type RepositoryIndex } from './repository-index.js'
import { readKeyring, type Keyring } from './signature.js'

export interface IndexesOptions {
  readonly repositories: readonly Repository[]
  /** Where indexes are kept for the next start. */
  readonly directory: string
  readonly limits?: Partial<FetchLimits>
  /** Milliseconds after which an index is looked at again. */
  readonly intervalMs?: number
  readonly network?: Network | undefined
  readonly warn: (message: string, facts: Record<string, unknown>) => void
}

/** What is known of a repository now: the last index that was good, and why there is no newer one. */
export interface KnownIndex {
  readonly index: RepositoryIndex | undefined
  readonly refusal: Refusal | undefined
}

interface State extends KnownIndex {
  index: RepositoryIndex | undefined
  refusal: Refusal | undefined
  /** Looks in a row whose content could not be used. */
  malformed: number
  triedAt: number
  restored: boolean
}

/** The indexes of all repositories, brought up to date when they are asked for and from time to time. */
export interface Indexes {
  /**
   * At least what was known when the service last ran. Looks at the origin where nothing is known, or the last look was longer ago than
   * `maxAgeMs`.
   *
   * @param isAhead whether nobody waits for it; a look that was begun so is hurried up by who comes to wait
   */
  get(repository: IndexedRepository, maxAgeMs?: number, isAhead?: boolean): Promise<KnownIndex>
  /** What is known without looking. */
  peek(repository: Repository): KnownIndex
  clientOf(repository: Repository): HttpClient
  keyringOf(repository: Repository): Promise<Keyring | undefined>
  readonly intervalMs: number
  /** Ends with close(). */
  readonly signal: AbortSignal
  close(): Promise<void>
}

const DEFAULT_INTERVAL_MS = 6 * 3_600_000
/** Trees that do not change any more. */
const HISTORY_INTERVAL_MS = 7 * 24 * 3_600_000
/** One look at one index takes no longer, whatever its origin does. */
const REFRESH_MS = 10 * 60_000
/** After a look the origin is left alone for so long. */
const PAUSE_MS = 30_000
/** A mirror whose index does not have the hash that is signed stays so for minutes or for good, and to read it takes seconds of CPU. */
const LONGEST_PAUSE_MS = 30 * 60_000
/** Indexes read at once: each takes seconds of CPU in a thread of its own. */
const AT_ONCE = 2

export function createIndexes (
  { repositories, directory, limits = {}, intervalMs = DEFAULT_INTERVAL_MS, network, warn }: IndexesOptions
): Indexes {
  const folder = join(directory, 'packages')
  const pauseMs = Math.min(PAUSE_MS, intervalMs / 2)
  const closing = new AbortController()
  const states = new Map<string, State>()
  const flights = createSingleFlight<KnownIndex>()
  const keyrings = new Map<string, Promise<Keyring | undefined>>()
  const lanes = createLanes(AT_ONCE)
  const errands = new Map<string, ReturnType<typeof createErrand>>()
  const clients = new Map(repositories.map(repository => [repository.id, createHttpClient({
    origins: repository.type === 'launchpad' ? [repository.url, repository.snapshots] : [repository.url],
    limits: { ...limits, totalMs: REFRESH_MS },
    network,
    ...(repository.tls === undefined ? {} : { tls: repository.tls })
  })]))

  const clientOf = (repository: Repository): HttpClient => {
    const client = clients.get(repository.id)
    if (client === undefined) throw new AppError('internal_error', `There is no client for ${repository.id}.`)
    return client
  }
  const stateOf = (repository: Repository) => {
    const known = states.get(repository.id) ?? { index: undefined, refusal: undefined, malformed: 0, triedAt: -Infinity, restored: false }
    states.set(repository.id, known)
    return known
  }
  const keyringOf = (repository: Repository): Promise<Keyring | undefined> => {
    const known = keyrings.get(repository.id) ?? openKeyring(repository)
    keyrings.set(repository.id, known)
    known.catch(() => { keyrings.delete(repository.id) }) // a file may be put right
    return known
  }

  const look = async (repository: IndexedRepository, errand: Errand): Promise<KnownIndex> => {
    const state = stateOf(repository)
    state.triedAt = Date.now()
    let refreshed: Refreshed
    try {
      const keyring = await keyringOf(repository)
      refreshed = await lanes.run(errand, async () => {
        const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(REFRESH_MS)])
        const common = { client: clientOf(repository), keyring, held: state.index, signal, now: Date.now() }
        return repository.type === 'apt' ? await refreshApt({ ...common, repository }) : await refreshRpm({ ...common, repository })
      })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      refreshed = refused('failed', error.message.replace(/\.$/, ''))
    }
    if (refreshed.state === 'ok') {
      state.index = refreshed.index
      state.refusal = undefined
      state.malformed = 0
      await writeIndexCopy(folder, repository, refreshed.index).catch((error: unknown) => {
        warn('The index of a package repository cannot be kept.', { repository: repository.id, error: String(error) })
      })
    } else {
      state.malformed = refreshed.state === 'malformed' ? state.malformed + 1 : 0
      state.refusal = { ...refreshed, retryAfterMs: pauseAfter(refreshed, state.malformed) }
      if (!closing.signal.aborted) {
        warn('The index of a package repository cannot be renewed.', { repository: repository.id, reason: refreshed.answer })
      }
    }
    return state
  }

  const restore = async (repository: Repository): Promise<void> => {
    const state = stateOf(repository)
    if (state.restored) return
    state.restored = true
    state.index ??= await readIndexCopy(folder, repository).catch(() => undefined)
  }

  return {
    intervalMs,
    signal: closing.signal,
    clientOf,
    keyringOf,
    peek: stateOf,
    async get (repository, maxAgeMs = repository.isHistory === true ? HISTORY_INTERVAL_MS : intervalMs, isAhead = false) {
      if (!isAhead) errands.get(repository.id)?.await()
      await restore(repository)
      const state = stateOf(repository)
      const age = Date.now() - (state.index?.checkedAt ?? -Infinity)
      const isRested = Date.now() - state.triedAt > (state.refusal?.retryAfterMs ?? pauseMs)
      const isExpired = state.index?.validUntil !== undefined && state.index.validUntil < Date.now()
      if ((age <= maxAgeMs && !isExpired) || !isRested) return flightOr(state, repository)
      return await flights.run(repository.id, async () => {
        const errand = createErrand(isAhead)
        errands.set(repository.id, errand)
        try {
          return await look(repository, errand)
        } finally {
          errands.delete(repository.id)
        }
      })
    },
    async close () {
      closing.abort()
      await Promise.all([...clients.values()].map(client => client.close()))
    }
  }

  /** While nothing is known yet, all callers wait for the one look that is under way. */
  async function flightOr (state: KnownIndex, repository: Repository): Promise<KnownIndex> {
    return state.index === undefined && state.refusal === undefined ? await flights.run(repository.id, async () => state) : state
  }
}

/** Each further time in a row that what the origin sends cannot be used, the pause is twice as long. */
function pauseAfter ({ retryAfterMs = PAUSE_MS }: Refusal, malformed: number): number {
  return Math.max(retryAfterMs, Math.min(retryAfterMs * 2 ** Math.max(0, malformed - 1), LONGEST_PAUSE_MS))
}

async function openKeyring ({ signers }: Repository): Promise<Keyring | undefined> {
  if (signers.kind === 'nobody') return undefined
  if (signers.kind === 'pinned') {
    const rings = await Promise.all(Object.entries(signers.keys)
      .map(([fingerprint, key]) => readKeyring(Buffer.from(key, 'base64'), `the preset of ${signers.distribution}`, [fingerprint])))
    return { keys: rings.flatMap(({ keys }) => keys), what: `the preset of ${signers.distribution}` }
  }
  const rings = await Promise.all(signers.paths.map(path => readKeyring(readKeyFile(path), path)))
  return { keys: rings.flatMap(({ keys }) => keys), what: signers.paths.join(', ') }
}

function readKeyFile (path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new AppError('invalid_request', `The keys in ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

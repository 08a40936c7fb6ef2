import { LRUCache } from 'lru-cache'
import { AppError } from '../errors.js'
import type { SharedBtf } from '../kernels/btf-memory.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import { isFetched, type KernelRecord } from '../kernels/kernel-record.js'
import { createOutcomes } from '../kernels/outcomes.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../kernels/reference.js'
import { answersForName, recordsOfName } from '../kernels/resolve.js'
import type { Sha256 } from '../kernels/sha256.js'
import { createSingleFlight } from '../kernels/single-flight.js'
import type { FoundKernel, KernelSource, Refusal } from '../kernels/sources/source.js'
import type { BtfAccess } from './btf-access.js'
import type { SourceSettings, Warn } from './settings.js'
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
}

/** Brings kernels that are not held from the sources into the index and the store. */
export interface Fetching {
  /**
   * Asks the sources for all kernels that a query can mean. Afterwards the index knows those that were found. Any number of
   * callers wait for one asking, and any of them may leave.
   *
   * @param via services through which the question came
   * @returns what the sources said of the kernels that none has
   * @throws AppError `source_failed`, `source_timeout`, `source_invalid` where a source may have one that it did not give
   */
  obtain(query: KernelQuery, via?: readonly string[]): Promise<readonly AskedSource[]>
  /**
   * Whether these, which are all that the index has for the query, are all that it can mean. What was fetched by whole names says
   * nothing of other kernels with the same release.
   */
  isComplete(query: KernelQuery, records: readonly KernelRecord[]): boolean
  /** Has modules of fetched kernels brought that come one by one. */
  obtainModules(records: readonly KernelRecord[], names: readonly string[]): Promise<void>
  /** Asks in the background whether what is old has changed at its source. */
  refresh(records: readonly KernelRecord[]): void
  /** See BtfAccessOptions. */
  recover(hash: Sha256, base?: SharedBtf): Promise<SharedBtf | undefined>
  stats(): FetchingStats
  close(): void
}

export interface FetchingStats {
  readonly requests: ReadonlyArray<{ readonly source: string, readonly outcome: string, readonly count: number }>
  /** Callers that wait for sources. */
  readonly waiters: number
}

const DEADLINE_MS = 120_000
/** A query that can mean more kernels than this is not tried out. */
const MAX_CANDIDATES = 64
const MAX_COMPLETE = 10_000
const STALE_MS = 24 * 3_600_000

export function createFetching (options: FetchingOptions): Fetching {
  const { sources, index, btfs, self, trustUploads, warn, settings } = options
  const staleMs = settings.staleMs ?? STALE_MS
  const flights = createSingleFlight<readonly AskedSource[]>()
  const complete = new LRUCache<string, true>({ max: MAX_COMPLETE, ttl: staleMs })
  let waiters = 0

  const keep = async ({ reference, btf, modules, url, etag }: FoundKernel, source: string): Promise<void> => {
    await Promise.all([btf, ...modules.map(module => module.btf)].map(found => btfs.keep(found)))
    const held = index.get(reference)
    if (held !== undefined && held.source !== source && answersForName(held, trustUploads)) return
    const isSame = held?.btfSha256 === btf.sha256
    if (held?.source === source && !isSame) warn('A source has other BTF for a kernel than before; the new one counts.', { kernel: formatReference(reference), source, held: held.btfSha256, found: btf.sha256 })
    const now = new Date().toISOString()
    const provenance = { by: source, at: isSame && held.source === source ? held.provenance.at : now, url, checkedAt: now, ...(etag === undefined ? {} : { etag }) }
    await index.put({
      reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      source,
      provenance,
      firstSeen: isSame ? held.firstSeen : now,
      lastUsed: isSame ? held.lastUsed : now,
      modules: modules.length > 0 || !isSame
        ? modules.map(module => ({ name: module.name, btfSha256: module.btf.sha256, bytes: module.btf.parts.byteLength, source, provenance }))
        : held.modules,
      ...(held?.releaseAskedAt === undefined ? {} : { releaseAskedAt: held.releaseAskedAt })
    })
  }
  const requests = createSourceRequests({ outcomes: createOutcomes(settings.lifetimes), deadlineMs: settings.deadlineMs ?? DEADLINE_MS, keep })

  const isHeld = (reference: KernelReference): boolean => recordsOfName(index, reference, trustUploads).length > 0

  const obtainOne = async (reference: KernelReference, via: readonly string[]): Promise<AskedSource[]> => {
    const asked: AskedSource[] = []
    const kernel = formatReference(reference)
    if (isHeld(reference)) return []
    for (const source of sources) {
      const refusal = await requests.kernel(source, reference, via)
      if (!isRefusal(refusal)) return []
      asked.push({ source: source.name, kernel, refusal })
    }
    return asked
  }

  /** All kernels that the sources may have under the query. */
  const findCandidates = async (query: KernelQuery, via: readonly string[]): Promise<{ references: KernelReference[], asked: AskedSource[] }> => {
    const references = new Map<string, KernelReference>()
    const asked: AskedSource[] = []
    for (const source of sources) {
      const found = await requests.candidates(source, query, via)
      if (isRefusal(found)) asked.push({ source: source.name, kernel: formatQuery(query), refusal: found })
      else if (found.references.length === 0) asked.push({ source: source.name, kernel: formatQuery(query), refusal: NOT_NAMED })
      else for (const reference of found.references) references.set(formatReference(reference), reference)
    }
    if (references.size > MAX_CANDIDATES) {
      throw new AppError('kernel_ambiguous', `Release ${query.release} can be that of ${references.size} kernels; name the whole reference.`,
        { kernel: formatQuery(query), candidates: [...references.keys()].slice(0, MAX_CANDIDATES).map(reference => ({ reference })) })
    }
    return { references: [...references.values()], asked }
  }

  const obtainRelease = async (query: KernelQuery, via: readonly string[]): Promise<readonly AskedSource[]> => {
    const { references, asked } = await findCandidates(query, via)
    const refused = await Promise.all(references.map(reference => obtainOne(reference, via)))
    const all = [...asked, ...refused.flatMap((answers, i) => {
      const [reference] = references.slice(i, i + 1)
      return reference !== undefined && isHeld(reference) ? [] : answers
    })]
    requireNoneOpen(query, all)
    complete.set(queryKey(query), true)
    if (query.distro === undefined && query.distroVersion === undefined && query.arch === undefined) {
      const releaseAskedAt = new Date().toISOString()
      await Promise.all(index.byRelease(query.release).filter(isFetched).map(record => index.put({ ...record, releaseAskedAt })))
    }
    return all
  }

  const sourceOf = (record: { readonly source: string }): KernelSource | undefined => sources.find(({ name }) => name === record.source)

  const revalidate = async (record: KernelRecord, source: KernelSource): Promise<void> => {
    const { url, etag } = record.provenance
    const outcome = await requests.revalidate(source, record.reference, url === undefined || etag === undefined ? undefined : { url, etag })
    if (outcome.state !== 'unchanged') return
    const current = index.get(record.reference)
    if (current?.btfSha256 !== record.btfSha256) return
    await index.put({ ...current, provenance: { ...current.provenance, checkedAt: new Date().toISOString() } })
  }

  return {
    async obtain (query, via = []) {
      if (sources.length === 0) return []
      if (via.includes(self)) return [{ source: 'upstream', kernel: formatQuery(query), refusal: ASKED_BY_ITSELF }]
      waiters++
      try {
        const key = `${queryKey(query)} via ${via.join()}`
        return await flights.run(key, async () => {
          if (!isWholeReference(query)) return await obtainRelease(query, via)
          const { distro, distroVersion, arch, release } = query
          const asked = await obtainOne({ distro, distroVersion, arch, release }, via)
          requireNoneOpen(query, asked)
          return asked
        })
      } finally {
        waiters--
      }
    },
    isComplete (query, records) {
      if (isWholeReference(query) || sources.length === 0 || records.some(record => !isFetched(record))) return true
      return complete.has(queryKey(query)) || records.some(({ releaseAskedAt }) => releaseAskedAt !== undefined)
    },
    async obtainModules (records, names) {
      for (const record of records) {
        const source = sourceOf(record)
        if (source?.fetchModule === undefined) continue
        const missing = names.filter(name => !record.modules.some(module => module.name === name))
        if (missing.length === 0) continue
        const base = await btfs.load(record.btfSha256)
        for (const name of missing) {
          const found = await requests.module(source, record.reference, name, base)
          const kernel = formatReference(record.reference)
          if (found.state !== 'found') {
            requireNoneOpen(record.reference, [{ source: source.name, kernel, refusal: found }])
            continue
          }
          await btfs.keep(found.btf)
          const current = index.get(record.reference)
          if (current?.btfSha256 !== base.sha256) throw new AppError('source_failed', `The BTF of ${kernel} changed while that of its module ${name} was fetched; try again.`, { kernel, source: source.name })
          const module = { name, btfSha256: found.btf.sha256, bytes: found.btf.parts.byteLength, source: source.name, provenance: { by: source.name, at: new Date().toISOString(), url: found.url } }
          await index.put({ ...current, modules: [...current.modules.filter(held => held.name !== name), module] })
        }
      }
    },
    refresh (records) {
      for (const record of records) {
        const { provenance } = record
        if (!isFetched(record) || Date.now() - Date.parse(provenance.checkedAt ?? provenance.at) < staleMs) continue
        const source = sourceOf(record)
        if (source !== undefined) revalidate(record, source).catch((error: unknown) => warn('A kernel cannot be revalidated.', { kernel: formatReference(record.reference), error: String(error) }))
      }
    },
    async recover (hash, base) {
      const owners = index.byBtf(base?.sha256 ?? hash).filter(record => base === undefined || record.modules.some(module => module.btfSha256 === hash))
      for (const record of owners) {
        const source = sourceOf(record)
        if (source === undefined) continue
        const name = base === undefined ? undefined : record.modules.find(module => module.btfSha256 === hash)?.name
        if (name !== undefined && base !== undefined && source.fetchModule !== undefined) {
          const module = await requests.module(source, record.reference, name, base)
          if (module.state === 'found' && module.btf.sha256 === hash) {
            await btfs.keep(module.btf)
            return module.btf
          }
          continue
        }
        const found = await requests.kernel(source, record.reference, [])
        if (found.state !== 'found') continue
        const match = [found.btf, ...found.modules.map(({ btf }) => btf)].find(btf => btf.sha256 === hash)
        if (match !== undefined) return match
      }
      return undefined
    },
    stats: () => ({ requests: requests.stats(), waiters }),
    close () { requests.close() }
  }
}

const NOT_NAMED: Refusal = { state: 'absent', answer: 'not asked: the release alone does not say of which distribution it is' }
/** Answered for a moment only: this service is asking others right now, and may know more soon. */
const ASKED_BY_ITSELF: Refusal = { state: 'absent', answer: 'not asked: the question came through this service already', retryAfterMs: 30_000 }

function requireNoneOpen (query: KernelQuery, asked: readonly AskedSource[]): void {
  const error = sourceError(formatQuery(query), asked)
  if (error !== undefined) throw error
}

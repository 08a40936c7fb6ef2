import { AppError } from '../errors.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { KeepModules } from './keep-modules.js'
import type { KernelIndex } from './kernel-index.js'
import { isFetched, recordKey, type KernelRecord } from './kernel-record.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { FetchJobs } from './fetch-jobs.js'
import type { HeldCopy, KernelSource } from './sources/source.js'
import type { BtfAccess } from './btf-access.js'
import { buildsOf } from './merge-records.js'
import { hasModules } from './resolve.js'
import type { WantedBuild } from './matches.js'
import type { Warn } from '../settings/service-options.js'
import { sourceError } from './source-error.js'
import type { SourceRequests } from './source-requests.js'

export interface FetchedKernelsOptions {
  readonly sources: readonly KernelSource[]
  readonly requests: SourceRequests
  readonly keepModules: KeepModules
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  /** Age in milliseconds at which what was fetched is asked for again. */
  readonly staleMs: number
  readonly trustUploads: boolean
  readonly warn: Warn
  readonly jobs: FetchJobs
  /** Does what asks sources when it is the caller's turn, once for all who ask for the same. */
  readonly inTurn: (key: string, caller: string, work: () => Promise<void>) => Promise<void>
}

/** What kernels that were fetched once still need of their source. */
export interface FetchedKernels {
  /**
   * Has modules of fetched kernels brought that come one by one.
   *
   * @param caller on whose behalf sources are asked: callers take turns
   * @param waitMs milliseconds that the caller wants to wait for a fetch that takes longer than a request
   * @throws AppError `source_failed`, `source_timeout`, `source_invalid`, `rate_limited`, `overloaded`, `fetching`
   */
  obtainModules(records: readonly KernelRecord[], names: readonly string[], caller?: string, waitMs?: number): Promise<void>
  /** Asks in the background whether what is old has changed at its source. What is held answers meanwhile, and after a failure. */
  refresh(records: readonly KernelRecord[]): void
  /** See BtfAccessOptions. */
  recover(hash: Sha256, base?: SharedBtf): Promise<SharedBtf | undefined>
  /** Forgets what was fetched of content that is lost. What was handed in or imported stays known: nobody else may have it. */
  forgetLost(hash: Sha256): Promise<void>
}

export function createFetchedKernels ({
  sources,
  requests,
  keepModules,
  index,
  btfs,
  staleMs,
  trustUploads,
  warn,
  jobs,
  inTurn
}: FetchedKernelsOptions): FetchedKernels {
  const sourceOf = (record: KernelRecord): KernelSource | undefined => sources.find(({ name }) => name === record.source)

  const revalidate = async (record: KernelRecord, source: KernelSource): Promise<void> => {
    const outcome = await requests.revalidate(source, wantedOf(record), heldOf(record))
    if (outcome.state !== 'unchanged') return
    const current = index.get(record.reference, record.btfSha256)
    if (current?.source !== record.source) return
    await index.put({ ...current, provenance: { ...current.provenance, checkedAt: new Date().toISOString() } })
  }

  const obtainModule = async (record: KernelRecord, source: KernelSource, name: string, base: SharedBtf): Promise<void> => {
    const kernel = formatReference(record.reference)
    const found = await requests.module(source, wantedOf(record), name, base, heldOf(record))
    if (found.state !== 'found') {
      const error = sourceError(kernel, [{ source: source.name, kernel, refusal: found }])
      if (error !== undefined) throw error
      return // absent: whoever needs it says so
    }
    if (await keepModules([{ name, btf: found.btf, url: found.url }], record.reference, base.sha256, source.name)) return
    throw new AppError('source_failed', `The BTF of ${kernel} changed while that of its module ${name} was fetched; try again.`,
      { kernel, source: source.name })
  }

  /** The content, from the source of a kernel that has it. */
  const refetch = async (
    record: KernelRecord,
    source: KernelSource,
    hash: Sha256,
    base: SharedBtf | undefined
  ): Promise<SharedBtf | undefined> => {
    const module = base === undefined ? undefined : record.modules.find(({ btfSha256 }) => btfSha256 === hash)
    if (module !== undefined && base !== undefined && source.fetchModule !== undefined) {
      const held = source === sourceOf(record) ? heldOf(record) : undefined
      const found = await requests.module(source, wantedOf(record), module.name, base, held)
      if (found.state !== 'found' || found.btf.sha256 !== hash) return undefined
      await btfs.keep(found.btf, 'fetched')
      return found.btf
    }
    const found = await requests.kernel(source, wantedOf(record), [])
    if (found.state !== 'found') return undefined
    return [found.btf, ...found.modules.map(({ btf }) => btf)].find(btf => btf.sha256 === hash)
  }

  return {
    async obtainModules (records, names, caller = '', waitMs = 0) {
      for (const record of records) {
        const source = sourceOf(record)
        const missing = names.filter(name => !hasModules(record, [name], trustUploads))
        if (source?.fetchModule === undefined || missing.length === 0) continue
        const work = inTurn(`${recordKey(record)} ${missing.join()}`, caller, async () => {
          const base = await btfs.load(record.btfSha256)
          for (const name of missing) {
            const current = index.get(record.reference, record.btfSha256) ?? record
            if (hasModules(current, [name], trustUploads)) continue // the one before brought it along
            await obtainModule(record, source, name, base)
          }
        })
        await jobs.race(record.reference, work, waitMs)
      }
    },
    refresh (records) {
      for (const record of records) {
        const { checkedAt, at } = record.provenance
        const source = isFetched(record) && Date.now() - Date.parse(checkedAt ?? at) >= staleMs ? sourceOf(record) : undefined
        if (source === undefined) continue
        revalidate(record, source).catch((error: unknown) => {
          warn('A kernel cannot be revalidated.', { kernel: formatReference(record.reference), error: String(error) })
        })
      }
    },
    async recover (hash, base) {
      for (const record of index.byBtf(base?.sha256 ?? hash)) {
        const hasIt = base === undefined || record.modules.some(module => module.btfSha256 === hash)
        // A source may have the very content that someone else supplied; its hash says whether it has.
        for (const source of isFetched(record) ? [sourceOf(record)] : sources) {
          const found = source === undefined || !hasIt ? undefined : await refetch(record, source, hash, base)
          if (found !== undefined) return found
        }
      }
      return undefined
    },
    async forgetLost (hash) {
      for (const record of index.byBtf(hash)) if (isFetched(record) && isOnlyFetched(record)) await index.remove(record)
      for (const record of index.byModuleBtf(hash)) {
        const modules = record.modules.filter(module => module.btfSha256 !== hash || !isFetched(module))
        if (modules.length === record.modules.length) continue
        // The source of a kernel that has modules of its own brings them with it.
        if (isFetched(record) && isOnlyFetched(record) && sourceOf(record)?.fetchModule === undefined) await index.remove(record)
        else await index.put({ ...record, modules })
      }
    }
  }
}

/** Its name, with the build that it was said to be. */
function wantedOf ({ reference, buildId, provenance: { kernelVersion } }: KernelRecord): KernelReference & WantedBuild {
  return { ...reference, ...(kernelVersion === undefined ? {} : { kernelVersion }), ...(buildId === undefined ? {} : { buildId }) }
}

/** What its supplier can tell again whether it has changed. */
function heldOf ({ provenance: { url, etag } }: KernelRecord): HeldCopy | undefined {
  return url === undefined || etag === undefined ? undefined : { url, etag }
}

/** Nothing of it was handed in: nobody's work is forgotten with it. */
function isOnlyFetched (record: KernelRecord): boolean { return buildsOf(record).every(isFetched) && record.modules.every(isFetched) }

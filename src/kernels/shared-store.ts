import { setTimeout as sleep } from 'node:timers/promises'
import type { ContentKind } from '../store/content-store.js'
import { parseRecord, serializeRecord, UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { hexOf, sha256, type Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import { createAvailability } from '../store/shared/availability.js'
import { createS3Client, type S3Answer } from '../store/shared/s3-client.js'
import type { S3Settings } from '../store/shared/s3-settings.js'
import { createUploadQueue } from '../store/shared/upload-queue.js'

export interface SharedStoreOptions {
  readonly settings: S3Settings
  /** Most bytes of one content. */
  readonly maxBytes: number
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  /** Between two looks at a store that does not answer, in milliseconds. */
  readonly retryMs?: number
}

/**
 * What replicas share: content by hash and records by name, in a bucket. It is asked after the disk and before the sources, and
 * written to behind. It is never needed: when it does not answer it counts as empty, after half a second once, and without
 * waiting from then on until it answers a probe.
 *
 * Content is verified against its hash when it is read. A record is checked for damage; who may write to the bucket decides what
 * names mean, as with the cache folder. A record keeps its source, so that uploads answer for names here only where uploads do.
 *
 *     <prefix>/btf/<first two hex digits>/<hex>
 *     <prefix>/object/<first two hex digits>/<hex>
 *     <prefix>/kernels/<kernel_release>/<distro>/<distro_version>/<arch>.json     so that a release can be listed
 */
export interface SharedStore {
  /** In shared memory. Undefined where there is none, none that is intact, or no telling. */
  read(kind: ContentKind, hash: Sha256): Promise<Uint8Array<SharedArrayBuffer> | undefined>
  sizeOf(kind: ContentKind, hash: Sha256): Promise<number | undefined>
  /** Writes content behind, unless it is there. `load` is called when its turn comes. */
  offer(kind: ContentKind, hash: Sha256, load: () => Promise<Uint8Array | undefined>): void
  /** The record of a whole reference; else all of its release, which may be held under another spelling of its platform. */
  find(query: KernelQuery): Promise<readonly KernelRecord[]>
  /** Writes a record behind, after the content that was offered before. */
  offerRecord(record: KernelRecord): void
  readonly isAvailable: boolean
  stats(): Readonly<Record<string, number>>
  close(): Promise<void>
}

const MAX_RECORD_BYTES = 8 * 1024 * 1024
/** A release that more kernels have than this is not resolved by its release alone. */
const MAX_RECORDS = 64
const DEFAULT_RETRY_MS = 5000
/** How long what waits may still be written when the service stops. */
const CLOSE_MS = 3000

export function createSharedStore ({ settings, maxBytes, onWarning: warn, retryMs = DEFAULT_RETRY_MS }: SharedStoreOptions): SharedStore {
  const client = createS3Client(settings)
  const counts = { hits: 0, misses: 0, failures: 0, skipped: 0, damaged: 0, written: 0 }
  const availability = createAvailability({ probe: () => client.head('probe'), onWarning: warn, onAvailable: () => { queue.resume() }, retryMs })
  const queue = createUploadQueue({ mayRun: () => availability.isOpen })
  const reads = createSingleFlight<Uint8Array<SharedArrayBuffer> | undefined>()
  const finds = createSingleFlight<readonly KernelRecord[]>()
  const pending = new Map<string, Promise<boolean>>()
  const latest = new Map<string, KernelRecord>()

  /** Undefined where there is no such thing, or no telling. */
  const ask = async <T>(question: () => Promise<S3Answer<T>>): Promise<T | undefined> => {
    const answer = await availability.run(question)
    if (answer === undefined) counts.skipped++
    else if (answer.state === 'failed') counts.failures++
    else if (answer.state === 'absent') counts.misses++
    else {
      counts.hits++
      return answer.value
    }
    return undefined
  }
  const readContent = async (kind: ContentKind, hash: Sha256): Promise<Uint8Array<SharedArrayBuffer> | undefined> => {
    const found = await ask(() => client.get(contentKey(kind, hash), maxBytes))
    if (found === undefined) return undefined
    if (found.sha256 === hexOf(hash)) return found.bytes
    counts.damaged++
    warn('Content in the shared store does not have the hash it is stored under; it counts as absent.', { kind, hash })
    return undefined
  }
  const readRecord = async (key: string): Promise<KernelRecord | undefined> => {
    const found = await ask(() => client.get(key, MAX_RECORD_BYTES))
    if (found === undefined) return undefined
    const record = parseRecord(Buffer.from(found.bytes).toString())
    if (record !== undefined && recordKey(record.reference) === key) return record
    counts.damaged++
    warn('A record in the shared store cannot be used; it is passed over.', { key })
    return undefined
  }
  const findRecords = async (query: KernelQuery): Promise<KernelRecord[]> => {
    const exact = isWholeReference(query) ? await readRecord(recordKey(query)) : undefined
    if (exact !== undefined) return [exact]
    const listed = await ask(() => client.list(`kernels/${query.release}/`))
    if (listed === undefined) return []
    if (!listed.isComplete || listed.keys.length > MAX_RECORDS) {
      warn('The shared store has more kernels of one release than can be told apart by it; its whole references still count.', { release: query.release, kernels: listed.keys.length })
      return []
    }
    const records = await Promise.all(listed.keys.map(readRecord))
    return records.flatMap(record => record ?? [])
  }
  /** False where it should be tried again. */
  const put = async (key: string, bytes: Uint8Array, hash: Sha256): Promise<boolean> => {
    const answer = await availability.run(() => client.put(key, bytes, hexOf(hash)))
    if (answer?.state === 'done') counts.written++
    else if (answer?.state === 'failed') counts.failures++
    return answer?.state === 'done'
  }

  return {
    read: (kind, hash) => reads.run(`${kind} ${hash}`, () => readContent(kind, hash)),
    sizeOf: async (kind, hash) => await ask(() => client.head(contentKey(kind, hash))),
    offer (kind, hash, load) {
      const key = contentKey(kind, hash)
      if (pending.has(key)) return
      const upload = queue.add({
        async run () {
          const there = await availability.run(() => client.head(key))
          if (there?.state === 'done') return true
          if (there?.state !== 'absent') return false
          const bytes = await load()
          return bytes !== undefined && await put(key, bytes, hash)
        }
      })
      pending.set(key, upload)
      upload.then(() => { pending.delete(key) }).catch(() => {}) // it does not reject
    },
    async find (query) {
      return await finds.run(formatQuery(query), () => findRecords(query))
    },
    offerRecord (record) {
      const name = formatReference(record.reference)
      const isWaiting = latest.has(name)
      latest.set(name, record)
      if (isWaiting) return
      const contents = [record.btfSha256, ...record.modules.map(module => module.btfSha256)]
      const offered = Promise.all(contents.flatMap(hash => pending.get(contentKey('btf', hash)) ?? []))
      offered.then(async written => {
        // A name must not lead to content that is not there.
        if (!written.every(isWritten => isWritten)) return latest.delete(name)
        return await queue.add({
          async run () {
            for (let current = latest.get(name); current !== undefined; current = latest.get(name)) {
              const wanted = reconcile(current, await readRecord(recordKey(record.reference)))
              const text = wanted === undefined ? undefined : Buffer.from(serializeRecord(wanted))
              if (text !== undefined && !await put(recordKey(record.reference), text, sha256(text))) return false
              if (latest.get(name) === current) latest.delete(name)
            }
            return true
          }
        }).finally(() => { latest.delete(name) })
      }).catch(() => {}) // nothing in it rejects
    },
    get isAvailable () { return availability.isOpen },
    stats: () => ({ ...counts, dropped: queue.dropped, queued: queue.size }),
    async close () {
      const until = performance.now() + CLOSE_MS
      while (queue.size + latest.size > 0 && availability.isOpen && performance.now() < until) await sleep(20)
      availability.close()
      await queue.close()
      await client.close()
    }
  }
}

/**
 * What to write over what is there: modules that another replica knows stay, and so does a record that may answer for its name
 * where ours is an upload. Undefined: nothing. (Two replicas that write at the same moment may lose a module of one of them,
 * which that one still knows.)
 */
function reconcile (ours: KernelRecord, there: KernelRecord | undefined): KernelRecord | undefined {
  if (there === undefined) return ours
  if (there.btfSha256 !== ours.btfSha256) return ours.source === UPLOAD_SOURCE && there.source !== UPLOAD_SOURCE ? undefined : ours
  return { ...ours, modules: [...ours.modules, ...there.modules.filter(({ name }) => !ours.modules.some(module => module.name === name))] }
}

function contentKey (kind: ContentKind, hash: Sha256): string {
  const hex = hexOf(hash)
  return `${kind}/${hex.slice(0, 2)}/${hex}`
}

function recordKey ({ distro, distroVersion, arch, release }: KernelReference): string { return `kernels/${release}/${distro}/${distroVersion}/${arch}.json` }

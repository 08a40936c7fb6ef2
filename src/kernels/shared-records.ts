import { AppError } from '../errors.js'
import { hexOf, type Sha256 } from '../store/sha256.js'
import { storageUnreadable } from '../store/read-failure.js'
import type { SharedBucket } from '../store/shared/shared-bucket.js'
import type { Placed } from '../store/shared/shared-content.js'
import type { ListedKey } from '../store/shared/s3-client.js'
import type { Elsewhere } from './index-elsewhere.js'
import { parseRecord, recordKey, serializeRecord, UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import { mergeRecords } from './merge-records.js'
import { formatQuery } from '../identity/reference.js'

export interface SharedRecordsOptions {
  readonly bucket: SharedBucket
  /** Puts BTF into the bucket, unless it is there. */
  readonly place: (hash: Sha256) => Promise<Placed>
  /** Whether uploads answer for names, so that all of them have to be known. */
  readonly trustUploads: boolean
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  /** Milliseconds after which a row whose content could not be written is tried again. */
  readonly retryMs?: number
}

/**
 * The rows of the index that replicas share, in a bucket. Who may write to it decides what names mean, as with the cache folder. A
 * row keeps its source, so that uploads answer for names here only where uploads do; and they are kept apart, so that no number of
 * them can hide a row that answers.
 *
 *     <prefix>/kernels/<kernel_release>/<distro>/<distro_version>/<arch>/<hash>.json
 *     <prefix>/kernels/<kernel_release>/<distro>/<distro_version>/<arch>.json           of version 0.1.0 and before
 *     <prefix>/uploads/<kernel_release>/<distro>/<distro_version>/<arch>/<hash>.json
 */
export interface SharedRecords extends Elsewhere {
  /** Rows that are yet to be written. */
  readonly waiting: number
  close(): void
}

const MAX_RECORD_BYTES = 16 * 1024 * 1024
/** Rows of one release. The most common release strings are those of some ten distributions, with a few builds each. */
const MAX_RECORDS = 1000
/** The same of uploads that answer for no name. */
const MAX_UPLOADS = 100
const READS_AT_ONCE = 16
const DEFAULT_RETRY_MS = 30_000

export function createSharedRecords ({
  bucket,
  place,
  trustUploads,
  onWarning: warn,
  retryMs = DEFAULT_RETRY_MS
}: SharedRecordsOptions): SharedRecords {
  /** What is to be written, by row. */
  const latest = new Map<string, KernelRecord>()
  const publishing = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  /** The row under a key; undefined where there is none. `unknown` where that cannot be told. */
  const readRecord = async (key: string): Promise<KernelRecord | 'unknown' | undefined> => {
    const answer = await bucket.get(key, MAX_RECORD_BYTES)
    if (answer?.state === 'absent') return undefined
    if (answer?.state !== 'done') return 'unknown'
    const record = parseRecord(Buffer.from(answer.value.bytes).toString())
    if (record !== undefined && keysOf(record).includes(key)) return record
    bucket.damaged()
    warn('A record in the shared store cannot be used; names that it may speak of are not answered from there.', { key })
    return 'unknown'
  }

  const readAll = async (keys: readonly string[]): Promise<{ records: KernelRecord[], isWhole: boolean }> => {
    const records: KernelRecord[] = []
    let isWhole = true
    const waiting = [...keys]
    await Promise.all(Array.from({ length: READS_AT_ONCE }, async () => {
      for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
        const record = await readRecord(key)
        if (record === 'unknown') isWhole = false
        else if (record !== undefined) records.push(record)
      }
    }))
    return { records, isWhole }
  }

  /** All rows below a folder. What limits it is an error: rows that are not seen may contradict those that are. */
  const findAll = async (folder: string, release: string): Promise<KernelRecord[]> => {
    const listed = await bucket.list(`${folder}/${release}/`, MAX_RECORDS)
    if (listed?.state !== 'done') throw unreadable(release)
    if (!listed.value.isComplete) {
      throw new AppError('kernel_ambiguous',
        `The shared store has more than ${MAX_RECORDS} kernels of release ${release}, which cannot be compared; ` +
        'name the BTF with btf_sha256.',
        { kernel: release, candidates: [], limit: MAX_RECORDS })
    }
    const { records, isWhole } = await readAll(listed.value.keys.map(({ key }: ListedKey) => key))
    if (!isWhole) throw unreadable(release)
    return records
  }
  /** Uploads that answer for no name: as many as are cheap to have. */
  const findSome = async (release: string): Promise<KernelRecord[]> => {
    const listed = await bucket.list(`uploads/${release}/`, MAX_UPLOADS)
    return listed?.state === 'done' ? (await readAll(listed.value.keys.slice(0, MAX_UPLOADS).map(({ key }) => key))).records : []
  }

  /** Writes a row once all that it names is there. False where it is to be tried again. */
  const publish = async (key: string): Promise<boolean> => {
    for (let current = latest.get(key); current !== undefined; current = latest.get(key)) {
      const hashes = [current.btfSha256, ...current.modules.map(module => module.btfSha256)]
      const placed = new Map(await Promise.all(hashes.map(async hash => [hash, await place(hash)] as const)))
      if ([...placed.values()].includes('not yet')) return false
      const writable = current
      // A name must not lead to content that is not there.
      const record = { ...writable, modules: writable.modules.filter(module => placed.get(module.btfSha256) === 'there') }
      const isWritten = placed.get(record.btfSha256) === 'lost' || await bucket.behind(async () => await write(record))
      if (!isWritten) return false
      if (latest.get(key) === writable) latest.delete(key)
    }
    return true
  }
  /** Beside what another replica knows. (Two that write at one moment may lose what one of them says, who then offers it again.) */
  const write = async (record: KernelRecord): Promise<boolean> => {
    const key = keyOf(record)
    const there = await readRecord(key)
    if (there === 'unknown' && !bucket.isAvailable) return false
    const merged = there === undefined || there === 'unknown' ? record : mergeRecords(there, record)
    return await bucket.put(key, Buffer.from(serializeRecord(merged)))
  }
  const start = (key: string): void => {
    if (publishing.has(key) || isClosed) return
    publishing.add(key)
    publish(key).catch(() => false).then(isDone => {
      publishing.delete(key)
      if (!isDone) tryLater()
    }).catch(() => {}) // nothing in it rejects
  }
  const startAll = (): void => { for (const key of latest.keys()) start(key) }
  const tryLater = (): void => {
    if (timer !== undefined || isClosed) return
    timer = setTimeout(() => {
      timer = undefined
      startAll()
    }, retryMs).unref()
  }
  bucket.onAvailable(startAll)

  return {
    async find (query) {
      const { release } = query
      const found = await findAll('kernels', release)
      return [...found, ...trustUploads ? await findAll('uploads', release) : await findSome(release)]
    },
    offer (record) {
      const key = recordKey(record)
      latest.set(key, record)
      start(key)
    },
    get waiting () { return publishing.size },
    close () {
      isClosed = true
      clearTimeout(timer)
    }
  }
}

function unreadable (release: string): AppError {
  return storageUnreadable('The shared store, which may know other kernels of this release,', 'no answer',
    { kernel: formatQuery({ release }) })
}

function keyOf (record: KernelRecord): string {
  const { reference: { distro, distroVersion, arch, release }, btfSha256, source } = record
  return `${source === UPLOAD_SOURCE ? 'uploads' : 'kernels'}/${release}/${distro}/${distroVersion}/${arch}/${hexOf(btfSha256)}.json`
}

/** Where a row may be: what was an upload and is supplied by others now stays in its old place too. */
function keysOf (record: KernelRecord): readonly string[] {
  const { reference: { distro, distroVersion, arch, release }, btfSha256 } = record
  const place = `${release}/${distro}/${distroVersion}/${arch}`
  return [`kernels/${place}/${hexOf(btfSha256)}.json`, `uploads/${place}/${hexOf(btfSha256)}.json`, `kernels/${place}.json`]
}

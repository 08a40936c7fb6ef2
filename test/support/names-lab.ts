import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../src/errors.js'
import { formatReference, parseReference, type KernelReference } from '../../src/identity/reference.js'
import { createImportStore } from '../../src/import/import-store.js'
import type { BtfAccess } from '../../src/kernels/btf-access.js'
import { createCatalog } from '../../src/kernels/catalog/catalog.js'
import { createFetchJobs } from '../../src/kernels/fetch-jobs.js'
import { createFetching } from '../../src/kernels/fetching.js'
import { openKernelIndex } from '../../src/kernels/kernel-index.js'
import { createKernels, type Kernels } from '../../src/kernels/kernels.js'
import type { LocalKernel } from '../../src/kernels/local-kernel.js'
import { createSharedRecords } from '../../src/kernels/shared-records.js'
import { createUpstreamSource, type CoreloUpstreamOptions } from '../../src/kernels/sources/corelo-upstream.js'
import type { KernelSource } from '../../src/kernels/sources/source.js'
import { createTargets, type TargetRequest } from '../../src/relocation/targets.js'
import type { SharedBtf } from '../../src/store/btf-memory.js'
import type { ContentStore } from '../../src/store/content-store.js'
import { sha256, type Sha256 } from '../../src/store/sha256.js'
import type { SharedBucket } from '../../src/store/shared/shared-bucket.js'

/** Content that stands for BTF: names are resolved by hash, whatever the bytes are. */
export function contentOf (name: string): Uint8Array { return Buffer.from(name) }

export function hashOf (name: string): Sha256 { return sha256(contentOf(name)) }

export function sharedBtf (bytes: Uint8Array, base?: SharedBtf): SharedBtf {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  const hash = sha256(bytes)
  const parts = {
    bytes: shared.buffer, byteOffset: 0, byteLength: bytes.length
  } as unknown as SharedBtf['parts'] // all that rawBytes looks at
  return { key: base === undefined ? hash : `${base.sha256}+${hash}`, sha256: hash, parts, types: 1, isSealed: false }
}

/** BTF access without workers and disks: all content that was ever kept is there for everyone. */
export function createFakeAccess (contents: Map<Sha256, Uint8Array>): BtfAccess {
  return {
    async load (hash, base) {
      const bytes = contents.get(hash)
      if (bytes === undefined) throw new AppError('btf_unknown', 'It was never kept.', { btf_sha256: hash })
      return sharedBtf(bytes, base)
    },
    peek: () => undefined,
    async loadHere () { return undefined },
    glance: hash => ({ paths: [], sha256: hash }),
    async loadPast (hash, base) { return await this.load(hash, base) },
    read: async hash => contents.get(hash),
    sizeOf: async hash => contents.get(hash)?.length,
    noteUse () {},
    async prepare (source, base) { return sharedBtf('bytes' in source ? source.bytes : contentOf(source.path), base) },
    async open (content, { base }) {
      return {
        btf: sharedBtf('bytes' in content ? content.bytes : contentOf(content.path), base), modules: []
      }
    },
    async keep (btf) { contents.set(btf.sha256, new Uint8Array(new Uint8Array(btf.parts.bytes, 0, btf.parts.byteLength))) },
    keepIndex () {},
    recoverFrom () {},
    onKept () {},
    async saveHeld () {},
    stats: () => ({ indexesRead: 0, indexesMade: 0 })
  }
}

/** A bucket in memory. */
export function createFakeBucket (): SharedBucket {
  const objects = new Map<string, Uint8Array>()
  return {
    async get (key) {
      const found = objects.get(key)
      if (found === undefined) return { state: 'absent' }
      const bytes = new Uint8Array(new SharedArrayBuffer(found.length))
      bytes.set(found)
      return { state: 'done', value: { bytes, sha256: sha256(found).slice('sha256:'.length) } }
    },
    head: async key => objects.has(key) ? { state: 'done', value: 1 } : { state: 'absent' },
    list: async below => ({
      state: 'done', value: { keys: [...objects.keys()].filter(key => key.startsWith(below)).map(key => ({ key })), isComplete: true }
    }),
    async put (key, bytes) { objects.set(key, Uint8Array.from(bytes)); return true },
    behind: async run => await run(),
    onAvailable () {},
    damaged () {},
    isAvailable: true,
    stats: () => ({}),
    async close () {}
  }
}

/** An archive that tells no builds apart. */
export function createFakeArchive (kernels: ReadonlyMap<string, string>): KernelSource {
  return {
    name: 'btfhub',
    candidates: async ({ release, distro, distroVersion, arch }) => ({
      state: 'listed',
      references: [...kernels.keys()].map(parseReference).filter(reference => reference.release === release && [
        distro ?? reference.distro, distroVersion ?? reference.distroVersion, arch ?? reference.arch
      ]
        .every((part, i) => part === [reference.distro, reference.distroVersion, reference.arch][i]))
    }),
    async fetch (reference) {
      const content = kernels.get(formatReference(reference))
      if (content === undefined) return { state: 'absent', answer: 'has it not' }
      return { state: 'found', reference, btf: sharedBtf(contentOf(content)), modules: [], url: 'archive' }
    }
  }
}

/** The HTTP of a replica as far as another one asks it. */
function clientOf (kernels: () => Kernels): CoreloUpstreamOptions['client'] {
  return {
    async get ({ url }) {
      try {
        const [, , distro = '', distroVersion = '', arch = '', release = '', , module] = url.pathname.split('/').map(decodeURIComponent)
        const query = url.searchParams
        if (distro === '') {
          const filter = {
            release: query.get('release') ?? '', limit: 2, ...(query.has('cursor') ? { cursor: query.get('cursor') ?? '' } : {})
          }
          const page = await kernels().list(filter)
          const listed = page.kernels.map(kernel =>
            ({ reference: formatReference(kernel.reference), source: kernel.state === 'held' ? kernel.source : null }))
          return answerOf(Buffer.from(JSON.stringify({ kernels: listed, next_cursor: page.nextCursor })), {})
        }
        const [kernelVersion, buildId] = [query.get('kernel_version'), query.get('kernel_build_id')]
        const found = await kernels().getBtf({ distro, distroVersion, arch, release }, module, {
          via: ['edge'], ...(kernelVersion === null ? {} : { kernelVersion }), ...(buildId === null ? {} : { buildId })
        })
        return answerOf(found.bytes, {
          'corelo-btf': found.sha256,
          'corelo-source': found.source,
          'corelo-btf-base': found.base,
          'corelo-kernel-version': found.kernelVersion,
          'corelo-kernel-build-id': found.buildId
        })
      } catch (error) {
        const isAbsent = error instanceof AppError && error.status === 404
        return isAbsent ? { state: 'absent', answer: '404', retryAfterMs: 0 } : { state: 'failed', answer: String(error), retryAfterMs: 0 }
      }
    },
    async close () {}
  }
}

function answerOf (bytes: Uint8Array, headers: Readonly<Record<string, string | undefined>>) {
  return { state: 'ok' as const, bytes, url: '', etag: undefined, header: (name: string) => headers[name] }
}

export interface ReplicaOptions {
  readonly directory: string
  readonly contents: Map<Sha256, Uint8Array>
  readonly trustUploads: boolean
  readonly bucket?: SharedBucket | undefined
  readonly archive?: KernelSource | undefined
  /** The replica that it asks for what it does not hold. */
  readonly upstream?: (() => Kernels) | undefined
}

/** All of a service that decides what a name means, on a real folder. */
export async function openReplica ({ directory, contents, trustUploads, bucket, archive, upstream }: ReplicaOptions) {
  const warn = (): void => {}
  const btfs = createFakeAccess(contents)
  const records = bucket === undefined
    ? undefined
    : createSharedRecords({ bucket, place: async hash => contents.has(hash) ? 'there' : 'lost', trustUploads, onWarning: warn })
  const index = await openKernelIndex({
    directory,
    ...(records === undefined
      ? {}
      : { elsewhere: { find: query => records.find(query), offer: record => { records.offer(record) }, renewMs: 0, maxAgeMs: 0 } })
  })
  const catalog = createCatalog({ feeds: [] })
  const self = directory
  const sources = [
    ...(upstream === undefined
      ? []
      : [createUpstreamSource({
          base: new URL('http://upstream.test/'), client: clientOf(upstream), open: btfs.open, self, maxBtfBytes: 1000, trustUploads
        })]),
    ...(archive === undefined ? [] : [archive])
  ]
  const fetching = createFetching({
    jobs: createFetchJobs(),
    sources,
    index,
    btfs,
    self,
    trustUploads,
    settings: { lifetimes: { absent: 0, malformed: 0, denied: 0, busy: 0, failed: 0, timeout: 0 }, forwardedMs: 1 },
    warn
  })
  const local: LocalKernel = {
    start: async () => {},
    refreshModules: async () => {},
    owns: () => false,
    answer: () => ({ source: 'local', answer: 'none' }),
    close: async () => {}
  }
  const kernels = createKernels({ index, btfs, local, fetching, catalog, trustUploads })
  const targets = createTargets({ index, btfs, local, fetching, catalog, trustUploads })
  const importing = async (
    work: (store: ReturnType<typeof createImportStore>) => Promise<unknown>, replaces: boolean
  ): Promise<boolean> => {
    const store = {
      sizeOf: async () => undefined, async write (_kind: string, hash: Sha256, bytes: Uint8Array) { contents.set(hash, bytes); return true }
    } as unknown as ContentStore
    const sink = createImportStore({ index, store, by: 'operator', replaces })
    try {
      await work(sink)
      await sink.flush()
      return true
    } catch (error) {
      if (error instanceof AppError) return false
      throw error
    }
  }
  return {
    kernels,
    find: async (request: TargetRequest) => await targets.find(request),
    importing,
    /** Waits until all that was put is where others see it. */
    async settle () {
      const isWaiting = (): boolean => records !== undefined && records.waiting > 0
      while (isWaiting()) await sleep(1)
    },
    async close () {
      fetching.close()
      records?.close()
      await index.close()
    }
  }
}

export type Replica = Awaited<ReturnType<typeof openReplica>>

export type { KernelReference }

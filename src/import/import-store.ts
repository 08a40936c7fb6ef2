import { AppError } from '../errors.js'
import type { ContentStore } from '../store/content-store.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import { IMPORT_SOURCE, UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type Provenance } from '../kernels/kernel-record.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { KernelSink, Stored } from './import-kernels.js'

export interface ImportStoreOptions {
  readonly index: KernelIndex
  readonly store: ContentStore
  /** Who imports. */
  readonly by: string
  /** Whether BTF from another source is replaced too. Uploads always are: they do not answer for a name. */
  readonly replaces: boolean
}

/** Files written at a time. */
const WRITES_AT_ONCE = 16

/** The sink of an import that is the cache itself: the store and the index of the service. */
export function createImportStore ({ index, store, by, replaces }: ImportStoreOptions): KernelSink {
  /** Records as they are to be, by reference; those that are not yet in the index are `changed`. */
  const records = new Map<string, KernelRecord>()
  const changed = new Set<string>()
  const writes = new Set<Promise<void>>()
  let failure: AppError | undefined

  const now = (): string => new Date().toISOString()
  const provenanceOf = (kernelVersion: string | undefined): Provenance => ({ by, at: now(), ...(kernelVersion === undefined ? {} : { kernelVersion }) })
  const find = async (reference: KernelReference): Promise<KernelRecord | undefined> => {
    const key = formatReference(reference)
    const known = records.get(key)
    if (known !== undefined) return known
    await index.learn(reference)
    const held = index.get(reference)
    if (held !== undefined) records.set(key, held)
    return held
  }
  const change = (record: KernelRecord): void => {
    const key = formatReference(record.reference)
    records.set(key, record)
    changed.add(key)
  }
  /** In the background, so that reading goes on; the next flush waits for it and tells of a failure. */
  const write = async (hash: Sha256, bytes: Uint8Array): Promise<void> => {
    if (await store.sizeOf('btf', hash) === bytes.length) return
    while (writes.size >= WRITES_AT_ONCE) await Promise.race(writes)
    const writing = store.write('btf', hash, bytes).then(isWritten => {
      if (!isWritten) failure ??= new AppError('internal_error', 'The cache does not take what is imported; see the disk.')
    }).finally(() => writes.delete(writing))
    writes.add(writing)
  }
  const stateOf = (held: { readonly btfSha256: Sha256, readonly source: string } | undefined, offered: Sha256, what: string): Stored => {
    if (held === undefined) return 'new'
    if (held.btfSha256 === offered) return held.source === UPLOAD_SOURCE ? 'replaced' : 'held'
    if (replaces || held.source === UPLOAD_SOURCE) return 'replaced'
    throw new AppError('btf_conflict', `Other BTF is held for ${what} already (${held.btfSha256}, source ${held.source}); --replace puts this one (${offered}) in its place.`, { held: held.btfSha256, offered })
  }

  return {
    async putKernel ({ reference, kernelVersion, btf, sha256, types }) {
      const held = await find(reference)
      const state = stateOf(held, sha256, formatReference(reference))
      await write(sha256, btf)
      if (state === 'held') return state
      const isSameContent = held?.btfSha256 === sha256
      change({
        reference,
        btfSha256: sha256,
        bytes: btf.length,
        types,
        source: IMPORT_SOURCE,
        provenance: provenanceOf(kernelVersion),
        firstSeen: held?.firstSeen ?? now(),
        lastUsed: now(),
        modules: isSameContent ? held.modules : [] // split BTF goes on from its base
      })
      return state
    },
    async putModule (reference, { name, btf, sha256 }) {
      const record = await find(reference)
      if (record === undefined) throw new AppError('kernel_unknown', `Kernel ${formatReference(reference)} is not held.`)
      const held = record.modules.find(module => module.name === name)
      const state = stateOf(held, sha256, `module ${name} of ${formatReference(reference)}`)
      await write(sha256, btf)
      if (state === 'held') return state
      const module: ModuleRecord = { name, btfSha256: sha256, bytes: btf.length, source: IMPORT_SOURCE, provenance: record.source === IMPORT_SOURCE && record.provenance.by === by ? record.provenance : provenanceOf(undefined) }
      change({ ...record, modules: [...record.modules.filter(other => other !== held), module] })
      return state
    },
    async getKernel (reference) {
      const record = await find(reference)
      if (record === undefined) return undefined
      await Promise.all(writes)
      return await store.read('btf', record.btfSha256)
    },
    async findKernels (release) {
      await index.learn({ release })
      const all = new Map([...index.byRelease(release), ...[...records.values()].filter(({ reference }) => reference.release === release)].map(record => [formatReference(record.reference), record]))
      return [...all.values()].filter(({ source }) => source !== UPLOAD_SOURCE).map(({ reference, provenance }) => ({ reference, kernelVersion: provenance.kernelVersion }))
    },
    async flush () {
      await Promise.all(writes)
      if (failure !== undefined) throw failure
      for (const key of changed) {
        const record = records.get(key)
        if (record !== undefined) await index.put(record)
      }
      changed.clear()
      if (index.stats().writeFailures > 0) throw new AppError('internal_error', 'The index of the cache does not take what is imported; see the disk.')
    }
  }
}

import { AppError } from '../errors.js'
import type { BtfParts } from '../btf/parse.js'
import type { ContentStore } from '../store/content-store.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import { IMPORT_SOURCE, UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type Provenance } from '../kernels/kernel-record.js'
import { inForce, isSameBuild } from '../kernels/matches.js'
import { buildsOf, mergeRecords } from '../kernels/merge-records.js'
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
  /** Makes what is kept beside the BTF of a kernel and is not there. */
  readonly makeBeside?: (hash: Sha256, parts: BtfParts) => Readonly<Record<'index' | 'layout', Uint8Array | undefined>>
}

/** Files written at a time. */
const WRITES_AT_ONCE = 16

/** The sink of an import that is the cache itself: the store and the index of the service. */
export function createImportStore ({ index, store, by, replaces, makeBeside }: ImportStoreOptions): KernelSink {
  /** The rows of this import as they are to be, by reference; those that are not yet in the index are `changed`. */
  const records = new Map<string, KernelRecord>()
  const changed = new Set<string>()
  const writes = new Set<Promise<void>>()
  let failure: AppError | undefined

  const now = (): string => new Date().toISOString()
  const provenanceOf = (kernelVersion: string | undefined): Provenance =>
    ({ by, at: now(), ...(kernelVersion === undefined ? {} : { kernelVersion }) })
  const heldOf = async (reference: KernelReference): Promise<readonly KernelRecord[]> => {
    await index.learnRows(reference)
    return inForce(index.named(reference).filter(record => record.source !== UPLOAD_SOURCE))
  }
  /** The row to which modules of a kernel go: that of this import, else the one that answers for the name. */
  const find = async (reference: KernelReference): Promise<KernelRecord | undefined> => {
    const known = records.get(formatReference(reference))
    if (known !== undefined) return known
    const [held, ...others] = await heldOf(reference)
    if (others.length === 0) return held
    throw new AppError('kernel_ambiguous',
      `Several BTFs are held for ${formatReference(reference)}; give the kernel's image together with its modules.`,
      { kernel: formatReference(reference) })
  }
  const change = (record: KernelRecord): void => {
    const key = formatReference(record.reference)
    records.set(key, record)
    changed.add(key)
  }
  /** So that reading goes on; the next flush waits for it. */
  const inBackground = async (work: () => Promise<void>): Promise<void> => {
    while (writes.size >= WRITES_AT_ONCE) await Promise.race(writes)
    const writing = work().finally(() => writes.delete(writing))
    writes.add(writing)
  }
  const write = async (hash: Sha256, bytes: Uint8Array): Promise<void> => {
    if (await store.sizeOf('btf', hash) === bytes.length) return
    await inBackground(async () => {
      if (await store.write('btf', hash, bytes)) return
      failure ??= new AppError('internal_error', 'The cache does not take what is imported; see the disk.')
    })
  }
  const conflict = (what: string, held: { readonly btfSha256: Sha256, readonly source: string }, offered: Sha256): AppError =>
    new AppError('btf_conflict',
      `Other BTF is held for ${what} already (${held.btfSha256}, source ${held.source}); ` +
      `--replace puts this one (${offered}) in its place.`,
      { held: held.btfSha256, offered })

  return {
    async keepBeside (hash, parts) {
      const made = makeBeside?.(hash, parts)
      if (made === undefined) return
      const before = [...writes]
      await inBackground(async () => {
        await Promise.all(before) // the last room on a disk is for the kernel, without which the rest is of no use
        for (const kind of ['index', 'layout'] as const) {
          const bytes = made[kind]
          // Where it finds no room it is made when it is asked for: an import promises no more than the kernel itself.
          if (bytes !== undefined && failure === undefined) await store.write(kind, hash, bytes)
        }
      })
    },
    async putKernel ({ reference, kernelVersion, buildId, btf, sha256, types }) {
      const rows = await heldOf(reference)
      const same = index.get(reference, sha256)
      // Two builds of one release are two kernels, which `uname -v` tells apart.
      const others = rows.filter(row => row.btfSha256 !== sha256 && !isKnownOther(row, kernelVersion, buildId))
      const [other] = others
      if (other !== undefined && !replaces) throw conflict(formatReference(reference), other, sha256)
      await write(sha256, btf)
      const isHeld = same !== undefined && rows.includes(same) && other === undefined
      if (isHeld && saysAlready(same, kernelVersion, buildId)) return 'held'
      const known = index.named(reference).filter(({ source }) => source !== UPLOAD_SOURCE)
      const provenance = laterThan(known, provenanceOf(kernelVersion))
      const supersedes = others.map(row => ({ btfSha256: row.btfSha256, at: provenance.at }))
      const row: KernelRecord = {
        reference,
        btfSha256: sha256,
        bytes: btf.length,
        types,
        ...(buildId === undefined ? {} : { buildId }),
        source: IMPORT_SOURCE,
        provenance,
        firstSeen: now(),
        lastUsed: now(),
        modules: [],
        ...(supersedes.length === 0 ? {} : { supersedes })
      }
      change(same === undefined ? row : mergeRecords(same, row))
      if (isHeld) return 'held'
      return storedAs(same, supersedes.length > 0)
    },
    async putModule (reference, { name, btf, sha256 }) {
      const record = await find(reference)
      if (record === undefined) throw new AppError('kernel_unknown', `Kernel ${formatReference(reference)} is not held.`)
      const named = record.modules.filter(module => module.name === name)
      const same = named.find(module => module.btfSha256 === sha256)
      const other = named.find(module => module.btfSha256 !== sha256 && module.source !== UPLOAD_SOURCE)
      if (other !== undefined && !replaces) throw conflict(`module ${name} of ${formatReference(reference)}`, other, sha256)
      await write(sha256, btf)
      if (same !== undefined && same.source !== UPLOAD_SOURCE && other === undefined) return 'held'
      const provenance = record.source === IMPORT_SOURCE && record.provenance.by === by ? record.provenance : provenanceOf(undefined)
      const module: ModuleRecord = {
        name,
        btfSha256: sha256,
        bytes: btf.length,
        source: IMPORT_SOURCE,
        provenance: other === undefined ? provenance : laterThan(named, provenance)
      }
      const supersedes = named.filter(held => held.btfSha256 !== sha256 && held.source !== UPLOAD_SOURCE)
        .map(held => ({ btfSha256: held.btfSha256, at: module.provenance.at }))
      const row = { ...module, ...(supersedes.length === 0 ? {} : { supersedes }) }
      change({ ...record, modules: [...record.modules.filter(held => held !== same), row] })
      return storedAs(same, other !== undefined)
    },
    async getKernel (reference) {
      const record = await find(reference)
      if (record === undefined) return undefined
      await Promise.all(writes)
      return await store.read('btf', record.btfSha256)
    },
    async findKernels (release) {
      await index.learn({ release })
      const imported = [...records.values()].filter(({ reference }) => reference.release === release)
      const all = new Map([...index.byRelease(release), ...imported].map(record => [formatReference(record.reference), record]))
      return [...all.values()].filter(({ source }) => source !== UPLOAD_SOURCE)
        .map(({ reference, provenance }) => ({ reference, kernelVersion: provenance.kernelVersion }))
    },
    async flush () {
      await Promise.all(writes)
      if (failure !== undefined) throw failure
      for (const key of changed) {
        const record = records.get(key)
        if (record !== undefined) await index.add(record)
      }
      changed.clear()
      if (index.stats().writeFailures > 0) {
        throw new AppError('internal_error', 'The index of the cache does not take what is imported; see the disk.')
      }
    }
  }
}

/** What became of an import, by the row of the same content and whether other content stepped back for it. */
function storedAs (same: { readonly source: string } | undefined, replacesOther: boolean): Stored {
  if (replacesOther) return 'replaced'
  if (same === undefined) return 'new'
  return same.source === UPLOAD_SOURCE ? 'approved' : 'replaced'
}

/** Whether a row is known to be another build than the one that is imported. */
function isKnownOther (row: KernelRecord, kernelVersion: string | undefined, buildId: string | undefined): boolean {
  return !isSameBuild({
    ...(kernelVersion === undefined ? {} : { kernelVersion }),
    ...(buildId === undefined ? {} : { buildId })
  }, row, false)
}

/** Whether an import brings nothing that the row does not say. What an upload says of the build is not what an operator says. */
function saysAlready (row: KernelRecord, kernelVersion: string | undefined, buildId: string | undefined): boolean {
  return buildsOf(row).some(build => build.source !== UPLOAD_SOURCE &&
    (kernelVersion === undefined || build.kernelVersion === kernelVersion) && (buildId === undefined || build.buildId === buildId))
}

/**
 * Of two contents that took each other's place, the later one counts; a clock of milliseconds does not always tell which that is, and
 * that of another replica may be ahead.
 */
function laterThan (replaced: ReadonlyArray<{ readonly provenance: Provenance }>, provenance: Provenance): Provenance {
  const last = Math.max(...replaced.map(({ provenance: { at } }) => Date.parse(at)))
  return Date.parse(provenance.at) > last ? provenance : { ...provenance, at: new Date(last + 1).toISOString() }
}

import { AppError } from '../errors.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Catalog } from './catalog/catalog.js'
import { isFetched, UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type Provenance } from './kernel-record.js'
import type { KernelIndex } from './kernel-index.js'
import { formatReference, isSegment, toReference, type KernelReference } from '../identity/reference.js'
import { answersForName, recordsOfName, resolveKernel, unknownKernel } from './resolve.js'
import type { Sha256 } from '../store/sha256.js'
import { rawBytes, type BtfAccess } from './btf-access.js'
import type { Fetching } from './fetching.js'
import { listKernels, toEntry } from './kernel-list.js'
import type { LocalKernel } from './local-kernel.js'
import { toAnswers, type AskedSource } from './source-error.js'
import type { KernelEntry, KernelFilter, KernelPage, PublishedOf } from './types.js'

export interface KernelsOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly local: LocalKernel
  readonly fetching: Fetching
  readonly catalog: Catalog
  readonly trustUploads: boolean
  readonly publishedOf?: PublishedOf
}

/** The kernels that the service knows, and the BTF that nodes and operators hand in for them. */
export interface Kernels {
  list(filter: KernelFilter): KernelPage
  /** @param waitMs milliseconds that the caller wants to wait for a fetch that takes longer than a request */
  get(reference: KernelReference, via?: readonly string[], caller?: string, waitMs?: number): Promise<KernelEntry>
  getBtf(reference: KernelReference, module?: string, via?: readonly string[], caller?: string, waitMs?: number): Promise<{ bytes: Uint8Array, sha256: Sha256, source: string }>
  putBtf(reference: KernelReference, bytes: Uint8Array, provenance: Provenance, module?: string): Promise<{ created: boolean, entry: KernelEntry }>
}

export function createKernels ({ index, btfs, local, fetching, catalog, trustUploads, publishedOf = () => undefined }: KernelsOptions): Kernels {
  /** The record of the very reference, else of the kernel under another spelling of its platform. */
  const findRecord = (reference: KernelReference): KernelRecord | undefined => {
    const held = index.get(reference)
    if (held !== undefined || recordsOfName(index, reference, true).length === 0) return held
    return resolveKernel(index, reference, { trustUploads: true }).records[0]
  }

  const requireRecord = (reference: KernelReference, asked: readonly AskedSource[] = [], via: readonly string[] = []): KernelRecord => {
    const record = findRecord(reference)
    if (record !== undefined) return record
    const error = unknownKernel(index, reference, 0, { trustUploads: true, answers: [local.answer(), ...toAnswers(asked)], offered: catalog.kernels() })
    const again = Math.min(...asked.map(({ refusal }) => refusal.retryAfterMs ?? Infinity))
    throw again === Infinity || via.length === 0 ? error : new AppError(error.code, error.message, { ...error.details, retry_after: Math.ceil(again / 1000) })
  }

  /** Also where another process has put it. */
  const learnRecord = async (reference: KernelReference): Promise<KernelRecord | undefined> => {
    if (findRecord(reference) === undefined) await index.learn(reference)
    return findRecord(reference)
  }

  /** The record, fetched where there is none. Another service asks for what can be believed, where this one asks for what there is. */
  const obtainRecord = async (reference: KernelReference, via: readonly string[], caller?: string, waitMs = 0): Promise<KernelRecord> => {
    const held = await learnRecord(reference)
    if (held === undefined) return requireRecord(reference, await fetching.obtain(reference, via, caller, waitMs), via)
    if (via.length === 0 || answersForName(held, trustUploads)) return held
    await fetching.obtain(reference, via, caller).catch(() => {}) // what is held says of itself that it is an upload
    return requireRecord(reference)
  }

  /** Content that is lost is worth another fetch, where a source had it. */
  const loadVmlinux = async (reference: KernelReference, via: readonly string[], caller?: string, waitMs = 0): Promise<{ record: KernelRecord, base: SharedBtf }> => {
    const record = await obtainRecord(reference, via, caller, waitMs)
    try {
      return { record, base: await btfs.load(record.btfSha256) }
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'btf_unknown' || !isFetched(record)) throw error
      const current = index.get(record.reference)
      if (current?.btfSha256 === record.btfSha256) await index.remove(record.reference)
      const renewed = await obtainRecord(reference, via, caller, waitMs)
      return { record: renewed, base: await btfs.load(renewed.btfSha256) }
    }
  }

  const putVmlinux = async (reference: KernelReference, bytes: Uint8Array, provenance: Provenance) => {
    const opened = await btfs.open({ bytes }, { names: [reference.release] })
    if (opened === undefined) throw new AppError('internal_error', 'An upload counts as missing.')
    const { btf } = opened
    if (index.get(reference) === undefined) await index.learn(reference)
    requireSame(index.get(reference), btf.sha256, formatReference(reference))
    await Promise.all([btf, ...opened.modules.map(module => module.btf)].map(content => btfs.keep(content)))
    const held = index.get(reference) // once more: another upload may have come first
    requireSame(held, btf.sha256, formatReference(reference))
    if (held !== undefined) return { created: false, entry: toEntry(held, catalog.kernels()) }
    const now = new Date().toISOString()
    const record: KernelRecord = {
      reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      source: UPLOAD_SOURCE,
      provenance,
      firstSeen: now,
      lastUsed: now,
      modules: opened.modules.map(module => ({ name: module.name, btfSha256: module.btf.sha256, bytes: module.btf.parts.byteLength, source: UPLOAD_SOURCE, provenance }))
    }
    await index.put(record)
    return { created: true, entry: toEntry(record, catalog.kernels()) }
  }

  const putModule = async (reference: KernelReference, name: string, bytes: Uint8Array, provenance: Provenance) => {
    const base = await btfs.load((await obtainRecord(reference, [])).btfSha256)
    const btf = await btfs.prepare({ bytes }, base)
    const what = `module ${name} of ${formatReference(reference)}`
    await btfs.keep(btf)
    const record = requireRecord(reference)
    if (record.btfSha256 !== base.sha256) throw new AppError('btf_conflict', `The BTF of ${formatReference(reference)} changed while that of its module ${name} was read; try again.`)
    const held = record.modules.find(module => module.name === name)
    requireSame(held, btf.sha256, what)
    if (held !== undefined) return { created: false, entry: toEntry(record, catalog.kernels()) }
    const module: ModuleRecord = { name, btfSha256: btf.sha256, bytes: btf.parts.byteLength, source: UPLOAD_SOURCE, provenance }
    const changed = { ...record, modules: [...record.modules, module] }
    await index.put(changed)
    return { created: true, entry: toEntry(changed, catalog.kernels()) }
  }

  return {
    list (filter) {
      const { kernels, nextCursor } = listKernels(index, catalog.kernels(), filter)
      return { kernels: kernels.map(entry => ({ ...entry, published: publishedOf(entry.reference) })), nextCursor }
    },
    async get (given, via = [], caller, waitMs = 0) {
      const reference = toReference(given)
      const record = await obtainRecord(reference, via, caller, waitMs)
      fetching.refresh([record])
      return { ...toEntry({ ...record, reference }, catalog.kernels()), published: publishedOf(reference) }
    },
    async getBtf (given, module, via = [], caller, waitMs = 0) {
      const reference = toReference(given)
      const { record, base } = await loadVmlinux(reference, via, caller, waitMs)
      index.touch(record.reference)
      btfs.noteUse([base.sha256])
      fetching.refresh([record])
      if (module === undefined) return { bytes: rawBytes(base), sha256: base.sha256, source: record.source }
      const known = record.modules.some(({ name }) => name === module)
      if (!known) await fetching.obtainModules([record], [module], waitMs)
      const held = requireRecord(reference).modules.find(({ name }) => name === module)
      if (held === undefined) throw new AppError('btf_unknown', `No BTF is held for module ${module} of kernel ${formatReference(reference)}.`, { kernel: formatReference(reference), module })
      const split = await btfs.load(held.btfSha256, base)
      return { bytes: rawBytes(split), sha256: split.sha256, source: held.source }
    },
    async putBtf (given, bytes, provenance, module) {
      const reference = toReference(given)
      if (module === undefined) return await putVmlinux(reference, bytes, provenance)
      if (!isSegment(module) || module === 'vmlinux') throw new AppError('invalid_request', "A module's name is 1 to 128 of the characters A-Z a-z 0-9 . _ + ~ - and not vmlinux.", { field: 'module' })
      return await putModule(reference, module, bytes, provenance)
    }
  }
}

function requireSame (held: { readonly btfSha256: Sha256, readonly source: string } | undefined, offered: Sha256, what: string): void {
  if (held === undefined || held.btfSha256 === offered) return
  throw new AppError('btf_conflict', `Other BTF is held for ${what} already (${held.btfSha256}, source ${held.source}); the offered one can be sent with each request, or stored under its own name.`,
    { held: held.btfSha256, offered, source: held.source })
}

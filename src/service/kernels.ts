import { AppError } from '../errors.js'
import { normalizeArch } from '../kernels/arch.js'
import { UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type Provenance } from '../kernels/kernel-record.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import { formatReference, isSegment, toReference, type KernelReference } from '../kernels/reference.js'
import { unknownKernel } from '../kernels/resolve.js'
import type { Sha256 } from '../kernels/sha256.js'
import { rawBytes, type BtfAccess } from './btf-access.js'
import type { LocalKernel } from './local-kernel.js'
import type { KernelEntry, KernelFilter, KernelPage } from './types.js'

export interface KernelsOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly local: LocalKernel
}

/** The kernels that the service knows, and the BTF that nodes and operators hand in for them. */
export interface Kernels {
  list(filter: KernelFilter): KernelPage
  get(reference: KernelReference): Promise<KernelEntry>
  getBtf(reference: KernelReference, module?: string): Promise<{ bytes: Uint8Array, sha256: Sha256 }>
  putBtf(reference: KernelReference, bytes: Uint8Array, provenance: Provenance, module?: string): Promise<{ created: boolean, entry: KernelEntry }>
}

const MAX_PAGE = 1000

export function createKernels ({ index, btfs, local }: KernelsOptions): Kernels {
  /** Also where another process put it into the cache. */
  const findRecord = async (reference: KernelReference): Promise<KernelRecord | undefined> => {
    if (index.get(reference) === undefined) await index.learn(reference)
    return index.get(reference)
  }
  const requireRecord = async (reference: KernelReference): Promise<KernelRecord> => {
    const record = await findRecord(reference)
    if (record === undefined) throw unknownKernel(index, reference, 0, { trustUploads: true, answers: [local.answer()] })
    return record
  }

  const putVmlinux = async (reference: KernelReference, bytes: Uint8Array, provenance: Provenance) => {
    const btf = await btfs.prepare({ bytes })
    requireSame(await findRecord(reference), btf.sha256, formatReference(reference))
    await btfs.keep(btf)
    const held = index.get(reference) // once more: another upload may have come first
    requireSame(held, btf.sha256, formatReference(reference))
    if (held !== undefined) return { created: false, entry: toEntry(held) }
    const now = new Date().toISOString()
    const record: KernelRecord = {
      reference, btfSha256: btf.sha256, bytes: btf.parts.byteLength, types: btf.types, source: UPLOAD_SOURCE, provenance, firstSeen: now, lastUsed: now, modules: []
    }
    await index.put(record)
    return { created: true, entry: toEntry(record) }
  }

  const putModule = async (reference: KernelReference, name: string, bytes: Uint8Array, provenance: Provenance) => {
    const base = await btfs.load((await requireRecord(reference)).btfSha256)
    const btf = await btfs.prepare({ bytes }, base)
    const what = `module ${name} of ${formatReference(reference)}`
    await btfs.keep(btf)
    const record = index.get(reference) ?? await requireRecord(reference) // at once, so that two modules do not overwrite each other
    if (record.btfSha256 !== base.sha256) throw new AppError('btf_conflict', `The BTF of ${formatReference(reference)} changed while that of its module ${name} was read; try again.`)
    const held = record.modules.find(module => module.name === name)
    requireSame(held, btf.sha256, what)
    if (held !== undefined) return { created: false, entry: toEntry(record) }
    const module: ModuleRecord = { name, btfSha256: btf.sha256, bytes: btf.parts.byteLength, source: UPLOAD_SOURCE, provenance }
    const changed = { ...record, modules: [...record.modules, module] }
    await index.put(changed)
    return { created: true, entry: toEntry(changed) }
  }

  return {
    list (filter) {
      const { release, distro, distroVersion } = filter
      const arch = filter.arch === undefined ? undefined : normalizeArch(filter.arch)
      const after = filter.cursor === undefined ? undefined : parseCursor(filter.cursor)
      const limit = Math.min(Math.max(1, filter.limit), MAX_PAGE)
      const page: KernelRecord[] = []
      let isMore = false
      for (const record of index.list()) {
        const { reference } = record
        if (after !== undefined && formatReference(reference) <= after) continue
        if (release !== undefined && reference.release !== release) continue
        if (distro !== undefined && reference.distro !== distro) continue
        if (distroVersion !== undefined && reference.distroVersion !== distroVersion) continue
        if (arch !== undefined && reference.arch !== arch) continue
        isMore = page.length === limit
        if (isMore) break
        page.push(record)
      }
      const last = page.at(-1)
      return { kernels: page.map(toEntry), nextCursor: isMore && last !== undefined ? formatCursor(last.reference) : null }
    },
    get: async reference => toEntry(await requireRecord(toReference(reference))),
    async getBtf (given, module) {
      const reference = toReference(given)
      const record = await requireRecord(reference)
      const base = await btfs.load(record.btfSha256)
      index.touch(reference)
      btfs.noteUse([base.sha256])
      if (module === undefined) return { bytes: rawBytes(base), sha256: base.sha256 }
      const held = record.modules.find(({ name }) => name === module)
      if (held === undefined) throw new AppError('btf_unknown', `No BTF is held for module ${module} of kernel ${formatReference(reference)}.`, { kernel: formatReference(reference), module })
      const split = await btfs.load(held.btfSha256, base)
      return { bytes: rawBytes(split), sha256: split.sha256 }
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

function toEntry (record: KernelRecord): KernelEntry {
  return {
    ...record,
    modules: record.modules.map(({ name, btfSha256, bytes, source }) => ({ name, btfSha256, bytes, source }))
  }
}

/** The cursor is the last reference shown, so that a page stays right when kernels are added meanwhile. Opaque to callers. */
function formatCursor (reference: KernelReference): string { return Buffer.from(formatReference(reference)).toString('base64url') }

function parseCursor (cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (text.split('/').length !== 4) throw new AppError('invalid_request', 'The cursor is not one that this service gave.', { field: 'cursor' })
  return text
}

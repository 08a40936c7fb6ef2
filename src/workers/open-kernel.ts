import { relocateDistilledBase } from '../btf/distilled-base.js'
import { AppError } from '../errors.js'
import { findBtf } from '../formats/find-btf.js'
import { WANT_ALL } from '../formats/find-options.js'
import type { FoundModule, FoundVmlinux, Unread } from '../formats/found.js'
import { placeOf } from '../formats/open-btf.js'
import { isXz } from '../formats/xz-magic.js'
import { storageUnreadable } from '../store/read-failure.js'
import { allocateShared, toShared } from '../store/shared-bytes.js'
import { attachShared } from './attached-btfs.js'
import { collectGarbage } from './collect.js'
import { openerLimits, readInto, shareRawBtf } from './prepare-btf.js'
import type { OpenedBtfs, OpenKernelTask } from './protocol.js'

/**
 * Unpacks a kernel's file, whatever it came in, and brings its BTF into shared memory. The BTF of a module that cannot be read
 * is left out: one broken module of thousands must not make a kernel unusable.
 *
 * @throws AppError `btf_invalid`, `too_large`, `storage_unreadable`
 */
export async function openKernel (task: OpenKernelTask): Promise<OpenedBtfs> {
  const { maxBytes, expected, base } = task
  const source = 'path' in task.source ? readInto(allocateShared, task.source.path, maxBytes) : task.source.bytes
  if (!(source instanceof Uint8Array)) {
    if (source.state === 'absent') return source
    throw storageUnreadable('path' in task.source ? task.source.path : 'The file', source.code)
  }
  if (task.isArchive && !isXz(source)) throw new AppError('btf_invalid', `This is no .xz file; it begins with ${beginningOf(source)}.`)

  const { kernel, modules, unread } = await findAll(source, task)
  if (kernel === undefined) {
    const [first] = unread
    throw new AppError(first?.code ?? 'btf_invalid', first?.reason ?? 'There is no BTF of a kernel in the file.', placeOf(first))
  }
  requireOwn(kernel, task.releases)
  const btf = share(kernel, task)
  // Not before: only what was validated here under its hash may go without validation later.
  if (expected !== undefined && btf.sha256 !== expected) {
    throw new AppError('btf_invalid', `The bytes have the hash ${btf.sha256}, not the ${expected} that was announced.`)
  }
  const opened: Array<{ name: string, btf: typeof btf }> = []
  const skipped = unread.map(({ place, reason }) => ({ name: place, reason }))
  for (const module of base === undefined ? modules : []) {
    try {
      opened.push({ name: module.name, btf: share(module, { maxBytes, base: btf }) })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      skipped.push({ name: module.name, reason: error.message })
    }
  }
  return { state: 'ready', btf, modules: opened, skipped }
}

/** An image says whose it is, which raw BTF does not. */
function requireOwn ({ evidence: { release } }: FoundVmlinux | FoundModule, releases: readonly string[]): void {
  if (release === undefined || releases.length === 0 || releases.includes(release)) return
  throw new AppError('btf_invalid',
    `The file is of kernel ${release}, and not of ${releases.join(' or ')}; give it under its own name, or give the file of that kernel.`,
    { release })
}

interface FoundInFile {
  /** With a base: the module's. */
  readonly kernel: FoundVmlinux | FoundModule | undefined
  readonly modules: readonly FoundModule[]
  /** What could not be read: files beside the kernel's own. */
  readonly unread: readonly Unread[]
}

async function findAll (source: Uint8Array, { maxBytes, releases, base }: OpenKernelTask): Promise<FoundInFile> {
  let kernel: FoundVmlinux | FoundModule | undefined
  const unread: Unread[] = []
  const modules: FoundModule[] = []
  const options = { ...openerLimits(maxBytes), want: WANT_ALL, releases, onUsedUp: collectGarbage }
  for await (const found of findBtf(source, 'The file', options)) {
    if (found.kind === 'unread') unread.push(found)
    if (found.kind === 'module' && (base === undefined || kernel !== undefined)) modules.push(found)
    else if (found.kind === 'vmlinux' || found.kind === 'module') {
      if (kernel !== undefined) throw new AppError('btf_invalid', 'The file has the BTF of several kernels; give it of one.')
      kernel = found
    }
  }
  return { kernel, modules, unread }
}

function share (found: FoundVmlinux | FoundModule, { maxBytes, base, sealKeys }: Pick<OpenKernelTask, 'maxBytes' | 'base' | 'sealKeys'>) {
  const distilled = found.kind === 'module' ? found.distilledBase : undefined
  const raw = distilled === undefined || base === undefined ? found.btf : relocateDistilledBase(found.btf, distilled, attachShared(base))
  return shareRawBtf(raw.buffer instanceof SharedArrayBuffer ? raw : toShared(raw), { maxBytes, base, sealKeys })
}

/** For people who wonder what it is instead: an error page shows as such. */
function beginningOf (bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing'
  return JSON.stringify(Buffer.from(bytes.subarray(0, 16)).toString('latin1').replace(/[^\x20-\x7e]/g, '.'))
}

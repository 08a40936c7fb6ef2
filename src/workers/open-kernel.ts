import { AppError } from '../errors.js'
import { unpackKernel } from '../formats/unpack/archive.js'
import { storageUnreadable } from '../store/read-failure.js'
import { allocateShared } from '../store/shared-bytes.js'
import { isXz } from '../formats/xz-magic.js'
import { collectGarbage } from './collect.js'
import { prepareBtf, readInto } from './prepare-btf.js'
import type { OpenedBtfs, OpenKernelTask } from './protocol.js'

/**
 * Unpacks a kernel's file, where it is packed, and brings its BTF into shared memory. The BTF of a module that cannot be read
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
  const isPacked = task.isArchive || isXz(source)
  const { vmlinux, modules } = isPacked ? await unpackKernel(source, { releases: task.releases, maxBytes, onUsedUp: collectGarbage }) : { vmlinux: source, modules: [] }
  const btf = prepare({ bytes: vmlinux, maxBytes, ...(base === undefined ? {} : { base }) })
  // Not before: only what was validated here under its hash may go without validation later.
  if (expected !== undefined && btf.sha256 !== expected) throw new AppError('btf_invalid', `The bytes have the hash ${btf.sha256}, not the ${expected} that was announced.`)
  const opened: Array<{ name: string, btf: typeof btf }> = []
  const skipped: Array<{ name: string, reason: string }> = []
  for (const { name, bytes } of modules) {
    try {
      opened.push({ name, btf: prepare({ bytes, maxBytes, base: btf }) })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      skipped.push({ name, reason: error.message })
    }
  }
  return { state: 'ready', btf, modules: opened, skipped }
}

function prepare ({ bytes, ...options }: { bytes: Uint8Array } & Pick<OpenKernelTask, 'maxBytes' | 'base'>) {
  const prepared = prepareBtf({ kind: 'prepareBtf', source: { bytes }, ...options })
  if (prepared.state !== 'ready') throw new AppError('internal_error', 'BTF in memory counts as missing.')
  return prepared.btf
}

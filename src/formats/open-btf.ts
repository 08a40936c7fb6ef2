import { detectByteOrder } from '../btf/header.js'
import { AppError, type ErrorDetails } from '../errors.js'
import { findBtf } from './find-btf.js'
import { WANT_ALL, WANT_KERNEL, type FindOptions } from './find-options.js'
import type { FoundModule, FoundVmlinux, Unread } from './found.js'

/** The BTF of one kernel or module, out of whatever file it came in. */
export interface OpenedBtf {
  /** Raw, not validated. */
  readonly btf: Uint8Array
  readonly distilledBase?: Uint8Array | undefined
}

export type OpenBtfOptions = Pick<FindOptions, 'maxBytes' | 'maxBtfBytes' | 'refusesBombs' | 'onUsedUp'> & {
  /** Whether split BTF of a module is wanted, and not that of a kernel. */
  readonly isModule: boolean
}

/**
 * Takes the one BTF out of a file: raw BTF, ELF, vmlinuz, `.tar.xz`, `.deb`, `.rpm`, each packed or not.
 *
 * @throws AppError `btf_invalid` where there is none, or that of several kernels; `too_large`
 */
export async function openBtf (content: Uint8Array, { isModule, ...options }: OpenBtfOptions): Promise<OpenedBtf> {
  if (detectByteOrder(content) !== undefined) return { btf: content }
  const found: Array<FoundVmlinux | FoundModule> = []
  let reason: Unread | undefined
  let hasDwarf = false
  for await (const one of findBtf(content, '', { ...options, want: isModule ? WANT_ALL : WANT_KERNEL })) {
    if (one.kind === 'unread') reason ??= one
    if (one.kind === 'dwarf') hasDwarf = true
    if (one.kind === 'vmlinux' || (isModule && one.kind === 'module')) found.push(one)
    if (!isModule && one.kind === 'module') reason ??= { kind: 'unread', place: '', reason: moduleAlone(one.name) }
    if (found.length > 1) {
      throw new AppError('btf_invalid', `The file has the BTF of several ${isModule ? 'modules' : 'kernels'}; give a file with only one.`)
    }
  }
  const [only] = found
  if (only === undefined) throw noBtf(reason, hasDwarf)
  return { btf: only.btf, ...(only.kind === 'module' ? { distilledBase: only.distilledBase } : {}) }
}

function moduleAlone (name: string): string {
  return `This is the kernel module ${name}. Its BTF extends that of its kernel; give the BTF of the kernel first.`
}

function noBtf (reason: Unread | undefined, hasDwarf: boolean): AppError {
  if (hasDwarf) {
    return new AppError('btf_invalid', 'The file is a kernel with DWARF and no BTF. ' +
      'corelo btf import makes BTF from it if pahole is installed.')
  }
  return new AppError(reason?.code ?? 'btf_invalid', reason?.reason ?? 'The file has no BTF.', placeOf(reason))
}

/** Where in a file the reason lies that nothing could be taken from it: at its beginning, where nothing in it was recognised. */
export function placeOf (unread: Unread | undefined): ErrorDetails {
  const details = unread?.details ?? {}
  return Object.keys(details).length === 0 ? { offset: 0 } : details
}

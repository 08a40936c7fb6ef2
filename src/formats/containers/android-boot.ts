import { dataView, isInside } from '../../bytes/checked.js'
import { AppError } from '../../errors.js'

const MAGIC = 'ANDROID!'
/**
 * Up to version 2 the page size stands in the header; from 3 on it is 4096. Version 0 of some makers has another thing in place of the
 * version.
 */
const HEADER = { kernelSize: 8, pageSize: 36, version: 40, END: 44 } as const
const FIXED_PAGE = 4096
const PAGES: readonly number[] = [2048, 4096, 8192, 16384, 32768, 65536, 131072]

/** Whether a file that begins so is Android's `boot.img`, of whatever header version. */
export function isAndroidBoot (head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, MAGIC.length)).toString('latin1') === MAGIC
}

/**
 * The kernel in Android's `boot.img`: an image, mostly packed, with device trees behind it in older ones. It begins on the second page.
 *
 * @throws AppError `btf_invalid`
 * @see https://source.android.com/docs/core/architecture/bootloader/boot-image-header
 */
export function kernelOfAndroidBoot (bytes: Uint8Array): Uint8Array {
  if (bytes.length < HEADER.END) throw new AppError('btf_invalid', 'The boot.img ends within its header.')
  const view = dataView(bytes)
  const version = view.getUint32(HEADER.version, true)
  const size = view.getUint32(HEADER.kernelSize, true)
  const page = version === 3 || version === 4 ? FIXED_PAGE : view.getUint32(HEADER.pageSize, true)
  if (!PAGES.includes(page)) throw new AppError('btf_invalid', `The boot.img names a page size of ${page} bytes, which no boot.img has.`)
  if (size === 0) {
    throw new AppError('btf_invalid',
      'The boot.img has no kernel. It is probably an init_boot image, which has only a ramdisk; give the boot image.')
  }
  if (!isInside(page, size, bytes.length)) {
    throw new AppError('btf_invalid', 'The boot.img is cut off: ' +
      `its kernel needs bytes ${page} to ${page + size}, and the file has ${bytes.length}.`)
  }
  return bytes.subarray(page, page + size)
}

import { detectByteOrder } from '../btf/header.js'
import { isElf } from '../elf/sections.js'
import { isAndroidBoot } from './containers/android-boot.js'
import { isAr } from './containers/ar.js'
import { isRpm } from './containers/rpm.js'
import { isTar } from './containers/tar.js'
import { isUki } from './containers/uki.js'
import { detectCompression } from './decompress/decompress.js'
import { detectKernelImage } from './images/kernel-image.js'

/** Bytes from the start of a file that tell what it is. */
export const HEAD_BYTES = 0x10010

/** Whether a file that begins so may have a kernel's BTF in it, so that it is worth reading. */
export function isRecognised (head: Uint8Array): boolean {
  return detectByteOrder(head) !== undefined || isElf(head) || isAr(head) || isRpm(head) || isTar(head) ||
    detectKernelImage(head) !== undefined || isUki(head) || isAndroidBoot(head) || detectCompression(head) !== undefined
}

/** Whether a file that begins so is an archive or packed, and is unpacked as it is read. */
export function isStreamed (head: Uint8Array): boolean {
  return isAr(head) || isRpm(head) || isTar(head) || (detectKernelImage(head) === undefined && detectCompression(head) !== undefined)
}

import { concat } from './byte-writer.js'

/** A vmlinuz: the head of a bzImage, as Documentation/arch/x86/boot.rst has it, with the payload behind two setup sectors. */
export function bzImage (payload: Uint8Array, protocol = 0x20f): Uint8Array {
  const head = new Uint8Array(3 * 512 + 64)
  const view = new DataView(head.buffer)
  head[0x1f1] = 2
  head.set(new TextEncoder().encode('HdrS'), 0x202)
  view.setUint16(0x206, protocol, true)
  view.setUint32(0x248, 64, true)
  view.setUint32(0x24c, payload.length, true)
  return concat(head, payload, new Uint8Array(32))
}

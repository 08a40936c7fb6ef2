import { typeId, type Btf } from '../btf/btf.js'
import { createEmitter } from './emitter.js'
import { createOrder } from './order.js'
import { createTextWriter } from './text-writer.js'

const BEGIN = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`

const END = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`

/**
 * All types of a kernel as a C header that a BPF program includes: `vmlinux.h`. To the character what `bpftool btf dump file FILE
 * format c` of bpftool 7.1 prints, types in such an order that each is declared before it is used. Like later ones it marks enumerations
 * whose size C would not give them by themselves (`mode(byte)`).
 *
 * @throws AppError `btf_invalid` for types that C cannot have: one that contains itself, or more text than any kernel's
 */
export function writeHeader (btf: Btf): string {
  const out = createTextWriter()
  out.write(BEGIN)
  const order = createOrder(btf)
  const emitter = createEmitter(btf, out)
  for (let id = typeId(1); id < btf.endId; id = typeId(id + 1)) {
    for (const next of order.upTo(id)) emitter.emit(next)
  }
  out.write(END)
  return out.text()
}

import { at, bitsAt, btf, ENCODING, integers, type BtfBuilder } from './btf-builder.js'

/** BTFs with a struct task_struct as kernels had it: its member state was renamed in 5.14, and moved whenever something came before it. */
export const TASKS = {
  /** `volatile long state` at byte 16. */
  old: () => task((b, { long, inner }) => [at('thread_info', 0, inner), at('state', 16, b.volatile(long)), at('pid', 24, long)]),
  /** At byte 24, since thread_info grew. */
  moved: () => task((b, { long, larger }) => [at('thread_info', 0, larger), at('state', 24, b.volatile(long)), at('pid', 32, long)]),
  /** `unsigned int __state` at byte 24. */
  renamed: () => task((_, { long, larger, uint }) => [at('thread_info', 0, larger), at('__state', 24, uint), at('pid', 32, long)]),
  /** Without any. */
  without: () => task((_, { long }) => [at('pid', 0, long)])
} as const

interface Types {
  readonly long: number
  readonly uint: number
  readonly inner: number
  readonly larger: number
}

function task (membersOf: (b: BtfBuilder, types: Types) => Parameters<BtfBuilder['struct']>[2]): BtfBuilder {
  const b = btf()
  const long = b.int('long int', 8, { encoding: ENCODING.SIGNED })
  const { uint } = integers(b)
  const inner = b.struct('thread_info', 16, [at('flags', 0, long), at('status', 8, uint)])
  const larger = b.struct('thread_info', 24, [at('flags', 0, long), at('status', 8, uint), at('cpu', 12, uint)])
  b.struct('task_struct', 64, membersOf(b, { long, uint, inner, larger }))
  return b
}

/** The same BTF with another hash. */
export function withSerial (b: BtfBuilder, serial: number): Uint8Array {
  b.int(`serial_${serial}`, 4)
  return b.bytes()
}

/** One struct of each shape that a comparison has to tell, in its two forms. */
export function shapes (isNew: boolean): Uint8Array {
  const b = btf()
  const { int, uint, llong, char } = integers(b)
  const name = b.array(char, isNew ? 32 : 16)
  const inside = b.struct('', 8, isNew ? [at('first', 0, int), at('second', 4, int)] : [at('second', 0, int), at('first', 4, int)])
  b.struct('shape', isNew ? 88 : 72, [
    at('same', 0, int),
    ...isNew ? [at('added', 4, int)] : [],
    at('', 8, inside),
    ...isNew ? [] : [at('gone', 16, llong)],
    at('retyped', 24, isNew ? uint : int),
    at(isNew ? '__hidden' : 'hidden', 32, llong),
    at('name', 40, name),
    bitsAt('flags', isNew ? 576 : 448, isNew ? 3 : 2, uint),
    at(isNew ? 'map_lock' : 'map_sem', isNew ? 80 : 64, llong)
  ], true)
  b.enum('color', isNew ? [['RED', 0], ['BLUE', 2], ['GREEN', 3]] : [['RED', 0], ['GREEN', 1], ['BLUE', 2]])
  b.typedef('shape_t', isNew ? llong : int)
  if (isNew) b.struct('only_new', 4, [at('a', 0, int)])
  return b.bytes()
}

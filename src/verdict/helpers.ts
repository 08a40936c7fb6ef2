/**
 * What the verdict needs to know of helpers, by their numbers in linux/bpf.h. The list of all of them:
 * @see https://man7.org/linux/man-pages/man7/bpf-helpers.7.html
 */

/** Helpers whose result is a pointer that may be null. */
const MAYBE_NULL = new Set([
  1, 107, 131, 145, 156, 195, 203, 210
])

/** Of those, the ones that lead to a structure of the kernel. */
const MAYBE_NULL_DEEP = new Set([84, 85, 95, 96, 98, 99, 136, 137, 138, 139, 140, 153, 178, 194, 196])

/** Helpers whose result is a pointer that is not null. */
const NEVER_NULL = new Set([81])
const NEVER_NULL_DEEP = new Set([154, 158, 175])

/** Helpers whose result some verifiers know a range of: those that copy, and what LSM programs return. */
const RANGED = new Set([45, 67, 114, 115, 141, 186])

/** Highest number of a helper that this knows of. */
const LAST_HELPER = 211

const PROCESSOR_ID = 8

export type HelperResult = 'number' | 'processor' | 'ranged' | 'maybe-null' | 'maybe-null-deep' | 'pointer' | 'pointer-deep' | 'unclear'

export function resultOf (helper: number): HelperResult {
  if (MAYBE_NULL_DEEP.has(helper)) return 'maybe-null-deep'
  if (MAYBE_NULL.has(helper)) return 'maybe-null'
  if (NEVER_NULL.has(helper)) return 'pointer'
  if (NEVER_NULL_DEEP.has(helper)) return 'pointer-deep'
  if (RANGED.has(helper)) return 'ranged'
  if (helper === PROCESSOR_ID) return 'processor'
  return helper <= LAST_HELPER ? 'number' : 'unclear'
}

/** Whether a helper's result is a pointer that may be null. */
export function mayGiveNull (helper: number): boolean { return MAYBE_NULL.has(helper) }

/** For helpers that take memory and its size: the register of the size, by that of the pointer. */
export const SIZES: ReadonlyMap<number, ReadonlyMap<number, number>> = new Map([
  [4, new Map([[1, 2]])], [45, new Map([[1, 2]])], [112, new Map([[1, 2]])], [113, new Map([[1, 2]])],
  [114, new Map([[1, 2]])], [115, new Map([[1, 2]])],
  [6, new Map([[1, 2]])], [16, new Map([[1, 2]])], [25, new Map([[4, 5]])], [26, new Map([[3, 4]])],
  [67, new Map([[2, 3]])], [130, new Map([[2, 3]])], [141, new Map([[2, 3]])],
  [120, new Map([[3, 4]])], [148, new Map([[1, 2]])], [165, new Map([[1, 2]])], [111, new Map([[1, 2]])]
])

/**
 * Helpers that fill memory of which nothing need be known before, with the register of the pointer: verifiers of every age take each
 * byte of it for unknown afterwards, where the size is a constant.
 */
export const FILLED: ReadonlyMap<number, number> = new Map([
  [4, 1], [16, 1], [26, 3], [45, 1], [112, 1], [113, 1], [114, 1], [115, 1]
])

/**
 * Helpers that read a key, or a value, of the map that they get first, and nothing behind it: by the register of the pointer, what it
 * points to. Older verifiers, that of Linux 6.12 among them, forget what was there; that of 6.18 does not.
 */
export const OF_MAP: ReadonlyMap<number, ReadonlyMap<number, 'keySize' | 'valueSize'>> = new Map([
  [1, new Map([[2, 'keySize']])],
  [2, new Map([[2, 'keySize'], [3, 'valueSize']])],
  [3, new Map([[2, 'keySize']])],
  [195, new Map([[2, 'keySize']])]
])

/** Helpers that call a function of the object: the register of the function, and what its arguments are. */
export const CALLBACKS: ReadonlyMap<number, {
  readonly fn: number
  readonly passes: ReadonlyArray<'map' | 'number' | 'pointer' | 'unclear' | number>
  readonly isAsync: boolean
}> = new Map([
  [164, { fn: 2, passes: ['map', 'pointer', 'pointer', 3], isAsync: false }],
  [170, { fn: 2, passes: ['map', 'pointer', 'pointer'], isAsync: true }],
  [180, { fn: 3, passes: ['unclear', 'unclear', 4], isAsync: false }],
  [181, { fn: 2, passes: ['number', 3], isAsync: false }],
  [209, { fn: 2, passes: ['unclear', 3], isAsync: false }]
])

/** Whether what is called may call a function of the object: a helper that calls back, or any kernel function. */
export function mayCallBack (call: { readonly src: number, readonly imm: number }): boolean {
  return call.src !== 0 || CALLBACKS.has(call.imm)
}

export const BPF_LOOP = 181

export const MAP_LOOKUP = 1

export const TAIL_CALL = 12

/** Helpers that take no arguments, whatever is in the registers. */
export const WITHOUT_ARGUMENTS: ReadonlySet<number> = new Set([5, 7, 8, 14, 15, 35, 42, 80, 118, 125, 158, 160, 208])

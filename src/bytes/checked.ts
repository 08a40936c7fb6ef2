import { AppError } from '../errors.js'

/**
 * The element at `index`. For indices that were checked when the array was built; an index out of range is a defect of ours
 * and throws `internal_error` instead of spreading an undefined.
 */
export function at (array: Uint32Array | Int32Array | Uint8Array, index: number): number {
  const value = array[index]
  if (value === undefined) throw new AppError('internal_error', `Index ${index} is outside an array of ${array.length} elements.`)
  return value
}

/** A view of the bytes that neither copies nor depends on where in its buffer the array starts. */
export function dataView (bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Whether `length` bytes from `offset` lie within `size` bytes. All in bytes; sums stay exact because each is below 2^53. */
export function isInside (offset: number, length: number, size: number): boolean {
  return offset >= 0 && length >= 0 && offset + length <= size
}

import { expect } from 'vitest'

/**
 * Bytes are compared as memory. Vitest compares them element by element, which takes a second for each megabyte. What differs is left to
 * it, so that it shows where.
 */
function areEqualBytes (a: unknown, b: unknown): true | undefined {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array) || a.constructor !== b.constructor) return undefined
  return Buffer.compare(a, b) === 0 ? true : undefined
}

// The files that a thread runs have one expect.
const ADDED = Symbol.for('corelo.equal-bytes')
if (!Reflect.has(globalThis, ADDED)) {
  Reflect.set(globalThis, ADDED, true)
  expect.addEqualityTesters([areEqualBytes])
}

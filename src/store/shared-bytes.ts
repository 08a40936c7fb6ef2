/**
 * A copy in shared memory: all threads read it, and none has a copy of its own.
 *
 * V8 does not count shared memory towards its limits. That is why long-lived content is there: an ordinary buffer that outlives
 * its request makes V8 collect a heap of which nothing is garbage, every few dozen requests. The price is that somebody else
 * must count, and ask for a collection when enough was let go of.
 */
export function toShared (bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = allocateShared(bytes.length)
  shared.set(bytes)
  return shared
}

/** Shared memory of so many bytes, all zero. */
export function allocateShared (byteLength: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(byteLength))
}

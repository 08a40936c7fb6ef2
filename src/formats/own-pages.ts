/**
 * Room in pages of its own, zeros at first, which goes back to the system as soon as it is garbage. Of what malloc gives, the process keeps
 * more the larger what it freed before was: twice that, for each of its arenas.
 *
 * @see https://man7.org/linux/man-pages/man3/mallopt.3.html: M_MMAP_THRESHOLD is adjusted, and M_TRIM_THRESHOLD with it
 */
export function ownPages (bytes: number): Uint8Array<ArrayBuffer> {
  // V8 takes the memory of a buffer that may be resized from the system, and that of all others from malloc.
  return new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes }))
}

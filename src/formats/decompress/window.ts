import { ownPages } from '../own-pages.js'

/** Smallest buffer of a window. A module's few kilobytes must not cost a dictionary of megabytes. */
const FIRST_BYTES = 64 * 1024
/**
 * Largest one that grows by being copied into another of twice its size. The next has all the room: what is not written of it costs
 * addresses, and no memory.
 */
const LAST_GROWN_BYTES = 1024 * 1024
/** Room beyond the dictionary, as a part of it: each time that it is full the dictionary moves to the front. */
const SPARE = 1 / 4

/**
 * What a decompressor has written, as far as it may still refer back to it: a buffer whose memory grows with what is really written, never
 * with what a header announces, up to a dictionary and a part; then the oldest makes room.
 */
export class Window {
  readonly #dictionaryBytes: number
  buffer: Uint8Array
  /** Where the next byte goes. */
  position = 0
  /** From where the bytes have not been taken yet. */
  #taken = 0
  #dropped = 0

  constructor (dictionaryBytes: number) {
    this.#dictionaryBytes = Math.max(dictionaryBytes, FIRST_BYTES)
    this.buffer = new Uint8Array(FIRST_BYTES)
  }

  /** Makes room for `bytes` more. What was not taken is kept, and so is the dictionary. */
  reserve (bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return
    const keepFrom = Math.min(this.#taken, Math.max(0, this.position - this.#dictionaryBytes))
    const kept = this.position - keepFrom
    if (kept + bytes <= this.buffer.length && keepFrom >= this.#dictionaryBytes * SPARE / 2) {
      this.buffer.copyWithin(0, keepFrom, this.position)
    } else {
      const most = this.#dictionaryBytes + Math.max(this.#dictionaryBytes * SPARE, FIRST_BYTES) + bytes
      const size = this.buffer.length < LAST_GROWN_BYTES ? Math.min(this.buffer.length * 2, most) : most
      const room = Math.max(kept + bytes, size)
      const grown = room > LAST_GROWN_BYTES ? ownPages(room) : new Uint8Array(room)
      grown.set(this.buffer.subarray(keepFrom, this.position))
      this.buffer = grown
    }
    this.position = kept
    this.#taken -= keepFrom
    this.#dropped += keepFrom
  }

  append (bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  /** How far back a reference may go. */
  get reach (): number { return Math.min(this.position, this.#dictionaryBytes) }

  /** Bytes written since the beginning. */
  get total (): number { return this.#dropped + this.position }

  /** Releases all memory at once, even if the window is still referenced. Nothing can be written after that. */
  release (): void {
    this.buffer = new Uint8Array(0)
    this.position = this.#taken = 0
  }

  /** A copy of what was written since the last call. */
  take (): Uint8Array {
    const bytes = this.buffer.slice(this.#taken, this.position)
    this.#taken = this.position
    return bytes
  }
}

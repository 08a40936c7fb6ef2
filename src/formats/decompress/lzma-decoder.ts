import { damaged } from './damaged.js'
import type { Window } from './window.js'

/**
 * The LZMA algorithm: a range coder over adaptive probabilities, and matches with what was written before.
 *
 * Written here because no package on npm decodes `.lzma` as a stream with a bound on its output, and none decodes `.xz` with the
 * branch filters that kernel images are packed with.
 *
 * @see https://www.7-zip.org/sdk.html (lzma-specification.txt)
 */

/** lc, lp and pb: literal context bits, literal position bits, position bits. */
export interface LzmaProperties {
  readonly lc: number
  readonly lp: number
  readonly pb: number
}

/** The properties byte is (pb * 5 + lp) * 9 + lc. */
export function parseProperties (byte: number): LzmaProperties {
  if (byte >= 225) throw damaged(`LZMA properties byte ${byte} is above 224`)
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) }
}

const STATES = 12
const POSITION_STATES = 16
/**
 * Where each kind of probability is in the one array of them. A length coder has 2 choices, 16 low and 16 middle trees of 8, and a high
 * tree of 256.
 */
const IS_MATCH = 0
const IS_REP = IS_MATCH + STATES * POSITION_STATES
const IS_REP_G0 = IS_REP + STATES
const IS_REP_G1 = IS_REP_G0 + STATES
const IS_REP_G2 = IS_REP_G1 + STATES
const IS_REP0_LONG = IS_REP_G2 + STATES
const DISTANCE_SLOT = IS_REP0_LONG + STATES * POSITION_STATES
const DISTANCE_SPECIAL = DISTANCE_SLOT + 4 * 64
const DISTANCE_ALIGN = DISTANCE_SPECIAL + 128
const MATCH_LENGTH = DISTANCE_ALIGN + 16
const LENGTH_LOW = 2
const LENGTH_MIDDLE = LENGTH_LOW + POSITION_STATES * 8
const LENGTH_HIGH = LENGTH_MIDDLE + POSITION_STATES * 8
const LENGTH_SIZE = LENGTH_HIGH + 256
const REP_LENGTH = MATCH_LENGTH + LENGTH_SIZE
const LITERAL = REP_LENGTH + LENGTH_SIZE
const LITERAL_SIZE = 0x300

const EVEN_CHANCE = 1024
const MIN_MATCH = 2
/** The longest match is 273 bytes. A decoder may write so much more than it was asked for. */
const MAX_MATCH = 273
const END_MARKER = 0xffffffff

/** State of one LZMA stream. LZMA2 resets parts of it between its chunks. */
export class LzmaDecoder {
  readonly #window: Window
  #probabilities = new Uint16Array(LITERAL)
  #properties: LzmaProperties = { lc: 0, lp: 0, pb: 0 }
  #state = 0
  #rep0 = 0
  #rep1 = 0
  #rep2 = 0
  #rep3 = 0
  #range = 0
  #code = 0
  #input: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  /** Bytes written since the dictionary was reset. Position bits count from there. */
  #written = 0

  constructor (window: Window) { this.#window = window }

  /** Where the next byte of input will be read. */
  get at (): number { return this.#at }

  /** Whether the range coder has come out even, as it does at the end of intact input. */
  get isFinished (): boolean { return this.#code === 0 }

  resetDictionary (): void { this.#written = 0 }

  /** Counts bytes that were written past the decoder: LZMA2's uncompressed chunks. */
  skip (bytes: number): void { this.#written += bytes }

  resetState (properties = this.#properties): void {
    const size = LITERAL + (LITERAL_SIZE << (properties.lc + properties.lp))
    if (this.#probabilities.length !== size) this.#probabilities = new Uint16Array(size)
    this.#probabilities.fill(EVEN_CHANCE)
    this.#properties = properties
    this.#state = 0
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0
  }

  /** Begins to read a range coder's bytes from `start` to `end`. */
  startInput (input: Uint8Array, start: number, end: number): void {
    if (end - start < 5) throw damaged('the LZMA data ends within its first five bytes')
    if (input[start] !== 0) throw damaged('the LZMA data does not start with a zero byte')
    this.#input = input
    this.#end = end
    this.#at = start + 5
    this.#range = 0xffffffff
    this.#code = 0
    for (let i = start + 1; i < start + 5; i++) this.#code = (this.#code << 8 | (input[i] ?? 0)) >>> 0
  }

  /**
   * Decodes until at least `bytes` were written (up to MAX_MATCH - 1 more), or the end marker.
   *
   * @returns whether the end marker was met
   * @throws AppError where the input is damaged or ends too early
   */
  decode (bytes: number): boolean {
    const window = this.#window
    window.reserve(bytes + MAX_MATCH)
    const output = window.buffer
    const started = window.position
    const target = started + bytes
    const { lc, lp, pb } = this.#properties
    const positionMask = (1 << pb) - 1
    const literalMask = (1 << lp) - 1
    const origin = started - this.#written

    while (window.position < target) {
      if (this.#at > this.#end) throw damaged('the LZMA data ends too early')
      let position = window.position
      const positionState = (position - origin) & positionMask
      if (this.#bit(IS_MATCH + this.#state * POSITION_STATES + positionState) === 0) {
        const previous = position > origin ? output[position - 1] as number : 0 // in range: position is above 0
        const context = ((position - origin) & literalMask) << lc | previous >> (8 - lc)
        output[position] = this.#literal(LITERAL + LITERAL_SIZE * context, output, position)
        window.position = position + 1
        continue
      }
      const length = this.#match(positionState)
      if (length === 0) {
        this.#written += window.position - started
        return true
      }
      const distance = this.#rep0 + 1
      if (distance > window.reach || distance > position - origin) throw damaged('an LZMA match reaches back before the first byte')
      let from = position - distance
      for (let i = 0; i < length; i++) output[position++] = output[from++] as number // both in range: reserve() made room, from is behind
      window.position = position
    }
    this.#written += window.position - started
    return false
  }

  /** One literal, coded in the light of the byte that a match would have given where the last thing was a match. */
  #literal (base: number, output: Uint8Array, position: number): number {
    let symbol = 1
    if (this.#state >= 7) {
      let matched = output[position - this.#rep0 - 1] ?? 0
      do {
        const matchBit = matched >> 7 & 1
        matched <<= 1
        const bit = this.#bit(base + ((1 + matchBit) << 8) + symbol)
        symbol = symbol << 1 | bit
        if (matchBit !== bit) break
      } while (symbol < 0x100)
    }
    while (symbol < 0x100) symbol = symbol << 1 | this.#bit(base + symbol)
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6
    return symbol & 0xff
  }

  /** Reads a match: sets rep0 to its distance less 1, and gives its length; 0 for the end marker. */
  #match (positionState: number): number {
    const state = this.#state
    if (this.#bit(IS_REP + state) === 0) {
      this.#rep3 = this.#rep2
      this.#rep2 = this.#rep1
      this.#rep1 = this.#rep0
      const length = this.#length(MATCH_LENGTH, positionState)
      this.#state = state < 7 ? 7 : 10
      this.#rep0 = this.#distance(length)
      return this.#rep0 === END_MARKER ? 0 : length
    }
    if (this.#bit(IS_REP_G0 + state) === 0) {
      if (this.#bit(IS_REP0_LONG + state * POSITION_STATES + positionState) === 0) {
        this.#state = state < 7 ? 9 : 11
        return 1
      }
    } else {
      let distance = this.#rep1
      if (this.#bit(IS_REP_G1 + state) !== 0) {
        distance = this.#rep2
        if (this.#bit(IS_REP_G2 + state) !== 0) {
          distance = this.#rep3
          this.#rep3 = this.#rep2
        }
        this.#rep2 = this.#rep1
      }
      this.#rep1 = this.#rep0
      this.#rep0 = distance
    }
    this.#state = state < 7 ? 8 : 11
    return this.#length(REP_LENGTH, positionState)
  }

  #length (base: number, positionState: number): number {
    if (this.#bit(base) === 0) return MIN_MATCH + this.#tree(base + LENGTH_LOW + positionState * 8, 3)
    if (this.#bit(base + 1) === 0) return MIN_MATCH + 8 + this.#tree(base + LENGTH_MIDDLE + positionState * 8, 3)
    return MIN_MATCH + 16 + this.#tree(base + LENGTH_HIGH, 8)
  }

  #distance (length: number): number {
    const slot = this.#tree(DISTANCE_SLOT + Math.min(length - MIN_MATCH, 3) * 64, 6)
    if (slot < 4) return slot
    const bits = (slot >> 1) - 1
    const high = ((2 | slot & 1) << bits) >>> 0
    if (slot < 14) return high + this.#reverseTree(DISTANCE_SPECIAL + high - slot, bits)
    return high + this.#direct(bits - 4) * 16 + this.#reverseTree(DISTANCE_ALIGN, 4)
  }

  #tree (base: number, bits: number): number {
    let symbol = 1
    for (let i = 0; i < bits; i++) symbol = symbol << 1 | this.#bit(base + symbol)
    return symbol - (1 << bits)
  }

  #reverseTree (base: number, bits: number): number {
    let symbol = 1
    let value = 0
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(base + symbol)
      symbol = symbol << 1 | bit
      value |= bit << i
    }
    return value
  }

  /** Bits of equal chance. */
  #direct (bits: number): number {
    let value = 0
    for (let i = 0; i < bits; i++) {
      this.#range >>>= 1
      if (this.#code >= this.#range) {
        this.#code -= this.#range
        value = value * 2 + 1
      } else {
        value *= 2
      }
      if (this.#range < 0x1000000) this.#refill()
    }
    return value
  }

  #bit (index: number): 0 | 1 {
    const chance = this.#probabilities[index] as number // every index is below the array's length by construction
    const bound = (this.#range >>> 11) * chance
    let bit: 0 | 1
    if (this.#code < bound) {
      this.#range = bound
      this.#probabilities[index] = chance + ((2048 - chance) >> 5)
      bit = 0
    } else {
      this.#range -= bound
      this.#code -= bound
      this.#probabilities[index] = chance - (chance >> 5)
      bit = 1
    }
    if (this.#range < 0x1000000) this.#refill()
    return bit
  }

  /** Zeros past the end: decode() notices once a symbol. */
  #refill (): void {
    this.#range = (this.#range << 8) >>> 0
    this.#code = (this.#code << 8 | (this.#input[this.#at++] ?? 0)) >>> 0
  }
}

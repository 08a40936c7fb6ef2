import { dataView } from '../../bytes/checked.js'
import { damaged } from './damaged.js'

const LEGACY_MAGIC = 0x184c2102
/** Of what a block holds. Only the last block may hold less. */
const BLOCK_BYTES = 8 * 1024 * 1024
/** The most that lz4 takes for a block that does not pack. */
const MAX_PACKED_BYTES = BLOCK_BYTES + Math.ceil(BLOCK_BYTES / 255) + 16
const MIN_MATCH = 4

/**
 * Unpacks lz4's legacy frame, which the kernel's build uses: blocks after each other, each with its packed size before it. The
 * packages on npm read only the newer frame. Ends where no plausible size follows, since the kernel's build appends the unpacked size.
 *
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md#legacy-frame
 */
export function * unpackLz4 (input: Uint8Array): Generator<Uint8Array> {
  const view = dataView(input)
  if (input.length < 8 || view.getUint32(0, true) !== LEGACY_MAGIC) throw damaged('it does not begin as lz4 does')
  let at = 4
  let isLast = false
  while (at + 4 <= input.length && !isLast) {
    const size = view.getUint32(at, true)
    at += 4
    if (size === LEGACY_MAGIC) continue
    if (size === 0 || size > MAX_PACKED_BYTES) throw damaged(`an lz4 block says that it has ${size} bytes`)
    if (at + size > input.length) throw damaged('the lz4 data ends within a block')
    const block = unpackBlock(input.subarray(at, at + size))
    isLast = block.length < BLOCK_BYTES
    at += size
    yield block
  }
}

/** A block is sequences: a token with two lengths, literals, and a match with what the same block already has. */
function unpackBlock (input: Uint8Array): Uint8Array {
  const output = new Uint8Array(BLOCK_BYTES)
  let at = 0
  let written = 0
  const longLength = (length: number): number => {
    if (length < 15) return length
    for (;;) {
      const byte = input[at++]
      if (byte === undefined) throw damaged('an lz4 block ends within a length')
      length += byte
      if (byte < 255) return length
    }
  }
  while (at < input.length) {
    const token = input[at++] ?? 0
    const literals = longLength(token >> 4)
    if (at + literals > input.length || written + literals > BLOCK_BYTES) throw damaged('lz4 literals go past their block')
    output.set(input.subarray(at, at + literals), written)
    at += literals
    written += literals
    if (at === input.length) break
    const distance = (input[at] ?? 0) | (input[at + 1] ?? 0) << 8
    at += 2
    const length = longLength(token & 15) + MIN_MATCH
    if (distance === 0 || distance > written || written + length > BLOCK_BYTES) throw damaged('an lz4 match goes past its block')
    if (distance >= length) output.copyWithin(written, written - distance, written - distance + length)
    else for (let i = 0; i < length; i++) output[written + i] = output[written + i - distance] ?? 0
    written += length
  }
  return output.subarray(0, written)
}

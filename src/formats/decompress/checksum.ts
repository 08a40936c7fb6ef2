import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** A checksum that grows with its input. `digest` gives its bytes as `.xz` stores them. */
export interface Checksum {
  update(bytes: Uint8Array): void
  digest(): Uint8Array
}

export function crc32Checksum (): Checksum {
  let value = 0
  return {
    update (bytes) { value = crc32(bytes, value) },
    digest () {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, value, true)
      return bytes
    }
  }
}

export function sha256Checksum (): Checksum {
  const hash = createHash('sha256')
  return { update: bytes => { hash.update(bytes) }, digest: () => hash.digest() }
}

/** CRC-64 of ECMA-182, reflected, as `.xz` has it; in two halves of 32 bits, since a bigint a byte would be a hundred times slower. */
export function crc64Checksum (): Checksum {
  let low = 0xffffffff
  let high = 0xffffffff
  return {
    update (bytes) {
      const { lows, highs } = crc64Table()
      for (let i = 0; i < bytes.length; i++) {
        const index = (low ^ (bytes[i] ?? 0)) & 0xff
        low = (low >>> 8 | high << 24) ^ (lows[index] ?? 0)
        high = (high >>> 8) ^ (highs[index] ?? 0)
      }
    },
    digest () {
      const bytes = new Uint8Array(8)
      const view = new DataView(bytes.buffer)
      view.setUint32(0, ~low, true)
      view.setUint32(4, ~high, true)
      return bytes
    }
  }
}

let table: { lows: Int32Array, highs: Int32Array } | undefined

function crc64Table (): { lows: Int32Array, highs: Int32Array } {
  if (table !== undefined) return table
  const lows = new Int32Array(256)
  const highs = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? value >> 1n ^ 0xc96c5795d7870f42n : value >> 1n
    lows[byte] = Number(value & 0xffffffffn)
    highs[byte] = Number(value >> 32n)
  }
  table = { lows, highs }
  return table
}

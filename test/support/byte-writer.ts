export type ByteOrder = 'little' | 'big'

export const BYTE_ORDERS = ['little', 'big'] as const

const encoder = new TextEncoder()

/** Collects bytes in one byte order. Widths are explicit; values are taken modulo their width. */
export class ByteWriter {
  readonly byteOrder: ByteOrder
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  constructor (byteOrder: ByteOrder) {
    this.byteOrder = byteOrder
  }

  get length (): number {
    return this.#length
  }

  u8 (value: number): this {
    const place = this.#take(1)
    this.#view.setUint8(place, value)
    return this
  }

  u16 (value: number): this {
    const place = this.#take(2)
    this.#view.setUint16(place, value, this.byteOrder === 'little')
    return this
  }

  u32 (value: number): this {
    const place = this.#take(4)
    this.#view.setUint32(place, value, this.byteOrder === 'little')
    return this
  }

  u64 (value: number | bigint): this {
    const place = this.#take(8)
    this.#view.setBigUint64(place, BigInt(value), this.byteOrder === 'little')
    return this
  }

  bytes (bytes: Uint8Array): this {
    const place = this.#take(bytes.length)
    this.#bytes.set(bytes, place)
    return this
  }

  text (text: string): this {
    return this.bytes(encoder.encode(text))
  }

  zeros (count: number): this {
    this.#take(count)
    return this
  }

  align (to: number): this {
    return this.zeros((to - this.#length % to) % to)
  }

  finish (): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Makes room for so many bytes, which are 0, and says where they begin. */
  #take (count: number): number {
    const place = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return place
  }
}

export function toHex (bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(' ')
}

export function fromHex (hex: string): Uint8Array {
  return Uint8Array.from(hex.trim().split(/\s+/), byte => parseInt(byte, 16))
}

export function concat (...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let position = 0
  for (const part of parts) {
    whole.set(part, position)
    position += part.length
  }
  return whole
}

/** A copy of `bytes` with a fixed-width integer written over it. */
export function overwrite (
  bytes: Uint8Array, offset: number, width: 1 | 2 | 4 | 8, value: number | bigint, byteOrder: ByteOrder
): Uint8Array {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  const little = byteOrder === 'little'
  const unsigned = BigInt.asUintN(8 * width, BigInt(value))
  if (width === 1) view.setUint8(offset, Number(unsigned))
  else if (width === 2) view.setUint16(offset, Number(unsigned), little)
  else if (width === 4) view.setUint32(offset, Number(unsigned), little)
  else view.setBigUint64(offset, unsigned, little)
  return copy
}

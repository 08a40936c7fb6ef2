export type ByteOrder = 'little' | 'big'

export const BYTE_ORDERS = ['little', 'big'] as const

const encoder = new TextEncoder()

/** Collects bytes in one byte order. Widths are explicit; values are taken modulo their width. */
export class ByteWriter {
  readonly byteOrder: ByteOrder
  readonly #bytes: number[] = []

  constructor (byteOrder: ByteOrder) {
    this.byteOrder = byteOrder
  }

  get length (): number {
    return this.#bytes.length
  }

  u8 (value: number): this {
    this.#bytes.push(value & 0xff)
    return this
  }

  u16 (value: number): this {
    return this.#integer(BigInt(value), 2)
  }

  u32 (value: number): this {
    return this.#integer(BigInt(value), 4)
  }

  u64 (value: number | bigint): this {
    return this.#integer(BigInt(value), 8)
  }

  bytes (bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte)
    return this
  }

  text (text: string): this {
    return this.bytes(encoder.encode(text))
  }

  zeros (count: number): this {
    for (let i = 0; i < count; i++) this.#bytes.push(0)
    return this
  }

  align (to: number): this {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0)
    return this
  }

  finish (): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  #integer (value: bigint, width: number): this {
    for (let i = 0; i < width; i++) {
      const shift = this.byteOrder === 'little' ? i : width - 1 - i
      this.#bytes.push(Number((value >> BigInt(8 * shift)) & 0xffn))
    }
    return this
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

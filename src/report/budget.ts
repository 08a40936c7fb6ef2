/** JSON texts of a bounded size altogether, encoded as they are made. */
export interface JsonBudget {
  /** The bytes of the value as JSON, or undefined where they are more than what is left. */
  spend(value: unknown): Uint8Array | undefined
  readonly left: number
}

const encoder = new TextEncoder()

/** @param bytes that all of it may have; each value also pays for a comma */
export function createJsonBudget (bytes: number): JsonBudget {
  let left = bytes
  return {
    spend (value) {
      const encoded = encoder.encode(JSON.stringify(value))
      if (encoded.length + 1 > left) return undefined
      left -= encoded.length + 1
      return encoded
    },
    get left () { return left }
  }
}

export function encode (text: string): Uint8Array { return encoder.encode(text) }

/** A list of JSON values as one. */
export function jsonList (values: readonly Uint8Array[]): Uint8Array[] {
  return [encode('['), ...values.flatMap((value, i) => i === 0 ? [value] : [COMMA, value]), encode(']')]
}

export function concatBytes (parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

const COMMA = encoder.encode(',')

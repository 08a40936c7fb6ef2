/** JSON texts of a bounded size altogether. They are encoded once, when all are there. */
export interface JsonBudget {
  /** The value as JSON, or undefined where that is more bytes than what is left. */
  spend(value: unknown): string | undefined
  /** Bytes. */
  left(): number
}

const encoder = new TextEncoder()
/** Room for most texts, of which only the size is wanted. */
const scratch = new Uint8Array(1 << 16)

/** Bytes of a text in UTF-8. */
function sizeOf (text: string): number {
  const { read, written } = encoder.encodeInto(text, scratch)
  return read === text.length ? written : encode(text).length
}

/** @param bytes that all of it may have, in UTF-8; each value also pays for a comma */
export function createJsonBudget (bytes: number): JsonBudget {
  let left = bytes
  return {
    spend (value) {
      const json = JSON.stringify(value)
      if (json.length + 1 > left) return undefined
      const size = sizeOf(json) + 1
      if (size > left) return undefined
      left -= size
      return json
    },
    left: () => left
  }
}

export function encode (text: string): Uint8Array { return encoder.encode(text) }

/** A list of JSON values as one. */
export function jsonList (values: readonly string[]): string { return `[${values.join(',')}]` }

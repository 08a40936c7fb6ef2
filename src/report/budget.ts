/** JSON texts of a bounded size altogether. They are encoded once, when all are there. */
export interface JsonBudget {
  /** The value as JSON, or undefined where that is more bytes than what is left. */
  spend(value: unknown): string | undefined
  readonly left: number
}

const encoder = new TextEncoder()
/** Text that takes a byte a character. */
const ASCII = /^[\x20-\x7e]*$/

/** @param bytes that all of it may have, in UTF-8; each value also pays for a comma */
export function createJsonBudget (bytes: number): JsonBudget {
  let left = bytes
  return {
    spend (value) {
      const json = JSON.stringify(value)
      if (json.length + 1 > left) return undefined
      const size = (ASCII.test(json) ? json.length : encode(json).length) + 1
      if (size > left) return undefined
      left -= size
      return json
    },
    get left () { return left }
  }
}

export function encode (text: string): Uint8Array { return encoder.encode(text) }

/** A list of JSON values as one. */
export function jsonList (values: readonly string[]): string { return `[${values.join(',')}]` }

/** JSON texts of a bounded size altogether. They are encoded once, when all are there. */
export interface JsonBudget {
  /** The value as JSON, or undefined where that is more bytes than what is left. */
  spend(value: unknown): string | undefined
  /** Bytes. */
  left(): number
  /** What is left, or `most` where that is more than `most`: bytes. Costs less to ask. */
  leftUpTo(most: number): number
}

const encoder = new TextEncoder()
/** Room for most texts, of which only the size is wanted. */
const scratch = new Uint8Array(1 << 16)

/** Bytes of a text in UTF-8. */
function sizeOf (text: string): number {
  const { read, written } = encoder.encodeInto(text, scratch)
  return read === text.length ? written : encoder.encode(text).length
}

/** Bytes that a UTF-16 unit has in UTF-8, at most. */
const MOST_OF_UNIT = 3

/** @param bytes that all of it may have, in UTF-8; each value also pays for a comma */
export function createJsonBudget (bytes: number): JsonBudget {
  let left = bytes
  /** Texts that fit at whatever size; they are counted when a decision depends on it, which mostly none does. */
  let uncounted: string[] = []
  let mostUncounted = 0
  const count = (): number => {
    for (const json of uncounted) left -= sizeOf(json) + 1
    uncounted = []
    mostUncounted = 0
    return left
  }
  return {
    spend (value) {
      const json = JSON.stringify(value)
      const most = json.length * MOST_OF_UNIT + 1
      if (mostUncounted + most > left) {
        if (json.length + 1 > count()) return undefined
        if (sizeOf(json) + 1 > left) return undefined
      }
      uncounted.push(json)
      mostUncounted += most
      return json
    },
    left: count,
    leftUpTo: most => mostUncounted + most <= left ? most : Math.min(most, count())
  }
}

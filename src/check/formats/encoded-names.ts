import { at, placeAt } from '../cells.js'

/** Names as JSON, one behind the other, each with a comma before it. */
export interface EncodedNames {
  readonly bytes: Buffer
  /** Where the comma before each name is; for the last one also its end. */
  readonly starts: Uint32Array
}

/** What a name takes, as a first guess. */
const NAME_BYTES = 64

interface Encoding {
  bytes: Buffer
  starts: Uint32Array
  /** Names that are there. */
  done: number
}

const encodings = new WeakMap<readonly string[], Encoding>()

/** The first of the names, so many at least. By identity: checks of one fleet have one list, each of whose names is encoded once. */
export function encodedNames (names: readonly string[], count: number): EncodedNames {
  let encoding = encodings.get(names)
  if (encoding === undefined) {
    encoding = { bytes: Buffer.allocUnsafeSlow(NAME_BYTES * names.length), starts: new Uint32Array(names.length + 1), done: 0 }
    encodings.set(names, encoding)
  }
  if (count >= encoding.starts.length) encoding.starts = moved(encoding.starts, new Uint32Array(2 * count))
  for (; encoding.done < count; encoding.done++) {
    const name = `,${JSON.stringify(at(names, encoding.done))}`
    const start = placeAt(encoding.starts, encoding.done)
    const end = start + Buffer.byteLength(name)
    if (end > encoding.bytes.length) encoding.bytes = moved(encoding.bytes, Buffer.allocUnsafeSlow(2 * end))
    encoding.bytes.write(name, start)
    encoding.starts[encoding.done + 1] = end
  }
  return encoding
}

function moved<List extends Buffer | Uint32Array> (list: List, other: List): List {
  other.set(list)
  return other
}

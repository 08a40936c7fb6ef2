/**
 * BTF of the 27 MB class (BTFHub has files of that size, with 562,000 types), made of a real kernel's: its types and strings
 * several times over, ids and string offsets moved. Real in everything but that names repeat.
 *
 * @param {Uint8Array} bytes little-endian raw BTF of a kernel
 * @param {number} minBytes how large the result is to be at least
 */
export function enlargeBtf (bytes, minBytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = offset => view.getUint32(offset, true)
  const hdrLen = word(4)
  const types = bytes.subarray(hdrLen + word(8), hdrLen + word(8) + word(12))
  const strings = bytes.subarray(hdrLen + word(16), hdrLen + word(16) + word(20))
  const copies = Math.ceil(minBytes / (types.length + strings.length))

  const count = countTypes(types)
  const output = new Uint8Array(24 + copies * (types.length + strings.length))
  const header = new DataView(output.buffer)
  header.setUint16(0, 0xeb9f, true)
  header.setUint8(2, 1)
  header.setUint32(4, 24, true)
  header.setUint32(12, copies * types.length, true)
  header.setUint32(16, copies * types.length, true)
  header.setUint32(20, copies * strings.length, true)
  for (let copy = 0; copy < copies; copy++) {
    output.set(moveTypes(types, copy * count, copy * strings.length), 24 + copy * types.length)
    output.set(strings, 24 + copies * types.length + copy * strings.length)
  }
  return output
}

/** Words after the 12 bytes of a record, and of each element, by kind; then which of a record's words are ids or names. */
const KINDS = {
  1: { fixed: 1 },
  2: { refers: true },
  3: { fixed: 3, ids: [0, 1] },
  4: { element: 3, names: [0], ids: [1] },
  5: { element: 3, names: [0], ids: [1] },
  6: { element: 2, names: [0] },
  7: {},
  8: { refers: true },
  9: { refers: true },
  10: { refers: true },
  11: { refers: true },
  12: { refers: true },
  13: { refers: true, element: 2, names: [0], ids: [1] },
  14: { refers: true, fixed: 1 },
  15: { element: 3, ids: [0] },
  16: {},
  17: { refers: true, fixed: 1 },
  18: { refers: true },
  19: { element: 3, names: [0] }
}

function * records (view) {
  for (let at = 0; at < view.byteLength;) {
    const info = view.getUint32(at + 4, true)
    const kind = KINDS[info >>> 24 & 0x7f]
    const vlen = info & 0xffffff
    yield { at, kind, vlen }
    at += 12 + 4 * ((kind.fixed ?? 0) + (kind.element ?? 0) * vlen)
  }
}

function countTypes (types) {
  let count = 0
  // eslint-disable-next-line no-unused-vars
  for (const _ of records(new DataView(types.buffer, types.byteOffset, types.byteLength))) count++
  return count
}

function moveTypes (types, ids, strings) {
  const moved = new Uint8Array(types)
  const view = new DataView(moved.buffer)
  const add = (at, offset) => {
    const value = view.getUint32(at, true)
    if (value !== 0) view.setUint32(at, value + offset, true)
  }
  for (const { at, kind, vlen } of records(view)) {
    add(at, strings)
    if (kind.refers) add(at + 8, ids)
    const isArray = kind.fixed === 3
    for (let i = 0; i < (isArray ? 1 : kind.element ? vlen : 0); i++) {
      const element = at + 12 + 4 * i * (kind.element ?? 0)
      for (const name of kind.names ?? []) add(element + 4 * name, strings)
      for (const id of kind.ids ?? []) add(element + 4 * id, ids)
    }
  }
  return moved
}

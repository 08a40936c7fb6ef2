import { hash as digest } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { kindOf, nameOf, vlenOf } from '../dist/btf/btf.js'
import { BtfKind } from '../dist/btf/constants.js'
import { BTF_MEMBER, BTF_TYPE } from '../dist/btf/layout.js'
import { parseRawBtf } from '../dist/btf/parse.js'
import { openKernelIndex } from '../dist/kernels/kernel-index.js'
import { LAYOUT_HEADER, partsOf } from '../dist/layout/format.js'
import { buildLayoutTable } from '../dist/layout/index.js'
import { openContentStore } from '../dist/store/content-store.js'
import { sha256 } from '../dist/store/sha256.js'
import { LAYOUT_FORMAT, layoutContent } from '../dist/workers/layout-format.js'
import { variantOf } from '../scripts/archive.mjs'
import { labBtfs } from './lab.mjs'

/** Structs that tracing objects read. */
const STRUCTS = [
  'task_struct', 'sock', 'sock_common', 'request', 'bio', 'file', 'dentry', 'inode', 'mm_struct', 'net_device', 'sk_buff', 'nsproxy',
  'super_block'
]

/** Rows of the index that are written at a time. */
const AT_ONCE = 64

/**
 * Fills a cache folder with a fleet: the lab's kernels, the same with structs laid out anew (each with another member in other places),
 * and of these as many as are asked for, which differ in a name that nothing reads. Each has a content, a row and a layout table of its
 * own.
 *
 * @param holdsAll whether the BTF of each is there; else that of the first of each layout, which is what a check of new objects reads
 * @returns the files of BTF, the bytes of BTF and tables that the kernels have, and a kernel whose BTF is there, with how many there are
 */
export async function fillFleet (directory, { kernels, layouts, holdsAll }) {
  const store = openContentStore({ directory })
  const index = await openKernelIndex({ directory })
  const laid = layOut(layouts)
  const files = []
  const bytes = { btf: 0, tables: 0 }
  let rows = []
  for (let i = 0; i < kernels; i++) {
    const { version, content, table } = laid[i % laid.length]
    const btf = variantOf(content, Buffer.from(`fleet_${i}\0`))
    const hash = sha256(btf)
    bytes.btf += btf.length
    bytes.tables += table.length
    if (holdsAll || i < laid.length) files.push(write(store.pathOf('btf', hash), btf))
    write(store.pathOf('layout', hash), tableOf(table, hash))
    const reference = { distro: 'fleet', distroVersion: '1', arch: 'x86_64', release: `${version}.0-${String(i).padStart(5, '0')}` }
    rows.push(index.put(importedRow(reference, hash, btf.length)))
    if (rows.length < AT_ONCE) continue
    await Promise.all(rows)
    rows = []
  }
  await Promise.all(rows)
  await index.close()
  await store.close()
  return { kernels, files, bytes, kernel: `fleet/1/x86_64/${laid[0].version}.0-00000` }
}

/** The row of a kernel that was imported just now. */
export function importedRow (reference, btfSha256, bytes) {
  const at = new Date().toISOString()
  const provenance = { by: 'bench', at }
  return { reference, btfSha256, bytes, types: 1, source: 'import', provenance, firstSeen: at, lastUsed: at, modules: [] }
}

function write (path, bytes) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

function layOut (layouts) {
  const real = labBtfs().map(({ name, path }) => ({ version: /\d+\.\d+/.exec(name)?.[0] ?? '6.18', content: readFileSync(path) }))
  return Array.from({ length: layouts }, (_, i) => {
    const { version, content: from } = real[i % real.length]
    const content = movedBy(from, Math.floor(i / real.length))
    return { version, content, table: buildLayoutTable(parseRawBtf(content), layoutContent(sha256(content)), LAYOUT_FORMAT) }
  })
}

/** A table says of which content it is, and has a checksum over that and the rest of what comes before the entries. */
export function tableOf (table, hash) {
  const bytes = Buffer.from(table)
  bytes.write(layoutContent(hash), LAYOUT_HEADER.content, 'latin1')
  const { checksum } = partsOf(bytes.readUInt32LE(LAYOUT_HEADER.names), bytes[LAYOUT_HEADER.bucketBits])
  bytes.write(digest('sha256', bytes.subarray(0, checksum), 'hex'), checksum, 'hex')
  return bytes
}

/** The BTF as if a configuration had added a pointer to some structs: members behind it are 8 bytes further on. 0 changes nothing. */
function movedBy (btf, change) {
  if (change === 0) return btf
  const bytes = Buffer.from(btf)
  const add = (offset, count) => { bytes.writeUInt32LE(bytes.readUInt32LE(offset) + count, offset) }
  const names = new Set(STRUCTS.filter((_, i) => (change >> (i % 4)) & 1))
  const parsed = parseRawBtf(btf)
  for (let id = parsed.startId; id < parsed.endId; id++) {
    const members = vlenOf(parsed, id)
    if (kindOf(parsed, id) !== BtfKind.STRUCT || members < 2 || !names.has(nameOf(parsed, id))) continue
    const at = parsed.typeOffsets[id - parsed.startId]
    add(at + BTF_TYPE.sizeOrType, POINTER_BYTES)
    for (let member = 1 + change % (members - 1); member < members; member++) {
      add(at + BTF_TYPE.SIZE + member * BTF_MEMBER.SIZE + BTF_MEMBER.offset, 8 * POINTER_BYTES)
    }
  }
  return bytes
}

const POINTER_BYTES = 8

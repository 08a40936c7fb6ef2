import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { attachBtf, parseBtfParts, parseRawBtf } from '../dist/btf/parse.js'
import { finishBtfIndex, indexTailBytes, readBtfIndex } from '../dist/btf/index-file.js'
import { isSealedBy, sealOf } from '../dist/store/seal.js'
import { sha256Characters } from '../dist/store/sha256.js'
import { labBtfs, oracle } from './lab.mjs'
import { enlargeBtf } from './large-btf.mjs'
import { median } from './statistics.mjs'

/**
 * Reading and indexing a kernel's BTF, beside libbpf's btf__parse of the same file, each in the process it lives in: ours in
 * one that stays, libbpf's in one that has just started, since a loader parses once. libbpf in a loop stands beside it, with
 * every BTF kept and with the memory given back before the next run.
 *
 * Ours also hashes the names. References are checked the first time that the service meets the bytes, not again for the same
 * hash; `validated too` is the time with that. Debian's libbpf 1.1 checks none.
 *
 * `kept index` is what a service does that has met the kernel before, also before its last start: it reads the bytes and the index that
 * is kept beside them, and checks the seal. `warm` is without reading the bytes, and stands beside libbpf's loop, freed.
 */
export function benchParse ({ runs }) {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    const files = labBtfs()
    const [largest] = files.filter(({ name }) => name === 'running' || name.startsWith('debian'))
    if (largest !== undefined) {
      const path = join(folder, 'large.btf')
      writeFileSync(path, enlargeBtf(readFileSync(largest.path), 27_000_000))
      files.push({ name: '27 MB class', path })
    }
    warmUp(files)
    return files.map(file => benchFile(file, file.name === '27 MB class' ? Math.ceil(runs / 3) : runs, folder))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function benchFile ({ name, path }, runs, folder) {
  const ours = { indexed: [], validated: [], kept: [], warm: [] }
  const index = `${path}.index`.replace(/.*\//, `${folder}/`)
  keepIndex(path, index)
  const libbpf = { first: [], kept: [], freed: [] }
  let btf
  // In turn, so that a slow spell of the machine meets both.
  for (let run = 0; run < runs; run++) {
    const times = oracle('parse', path, run === 0 ? 7 : 1)
    libbpf.first.push(times.freed[0])
    if (run === 0) {
      libbpf.freed.push(...times.freed.slice(1))
      libbpf.kept.push(...times.kept)
    }
    for (const [kind, isValidated] of [['validated', false], ['indexed', true]]) {
      const started = performance.now()
      btf = readAndIndex(path, isValidated)
      ours[kind].push(performance.now() - started)
      collectGarbage() // V8 does not see how large shared memory is, and would keep all of it
    }
  }
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    const bytes = readShared(path)
    const read = performance.now()
    openKept(bytes, readShared(index))
    ours.kept.push(performance.now() - started)
    ours.warm.push(performance.now() - read)
    collectGarbage()
  }
  const warm = warmMs(btf.bytes, runs)
  const hashed = performance.now()
  createHash('sha256').update(btf.bytes).digest()
  const hashMs = performance.now() - hashed
  const libbpfMs = median(libbpf.first) / 1e6
  return {
    btf: name,
    MB: btf.bytes.length / 1e6,
    types: btf.endId,
    'corelo ms': median(ours.indexed),
    'libbpf ms': libbpfMs,
    ratio: median(ours.indexed) / libbpfMs,
    'validated too': median(ours.validated),
    'ratio of that': median(ours.validated) / libbpfMs,
    'first of a process': coldMs(path),
    'kept index': median(ours.kept),
    'kept index, warm': median(ours.warm),
    'loop over the same bytes': warm,
    'libbpf loop, kept': median(libbpf.kept) / 1e6,
    'libbpf loop, freed': median(libbpf.freed) / 1e6,
    'SHA-256 ms': hashMs,
    'index / BTF': (btf.typeOffsets.buffer.byteLength) / btf.bytes.length
  }
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const CONTENT = new Uint8Array(32)
const KEY = new Uint8Array(32)
const SEAL = {
  make: bytes => sealOf(KEY, 'bench', bytes),
  matches: (bytes, seal) => isSealedBy([KEY], 'bench', bytes, seal),
  digest: sha256Characters
}

function keepIndex (path, output) {
  const bytes = readShared(path)
  const parts = parseBtfParts(bytes, { allocate: byteLength => new ArrayBuffer(byteLength + indexTailBytes(bytes.length, byteLength)) })
  finishBtfIndex(parts, CONTENT, SEAL)
  writeFileSync(output, new Uint8Array(parts.index))
}

function openKept (bytes, file) {
  const indexed = readBtfIndex(bytes, file, CONTENT, SEAL)
  if (typeof indexed === 'string') throw new Error(`the index that was kept is ${indexed}`)
  return attachBtf(indexed.parts, undefined)
}

/** As a worker does it, without the check of the hash, which libbpf has no counterpart to. */
function readAndIndex (path, isValidated) {
  return parseRawBtf(readShared(path), { isValidated, allocate: byteLength => new SharedArrayBuffer(byteLength) })
}

function readShared (path) {
  const fd = openSync(path, 'r')
  const bytes = new Uint8Array(new SharedArrayBuffer(fstatSync(fd).size))
  for (let filled = 0, count = -1; count !== 0; filled += count) count = readSync(fd, bytes, filled, bytes.length - filled, null)
  closeSync(fd)
  return bytes
}

/** Indexing bytes whose memory is warm, which libbpf's loop with freed memory stands beside. */
function warmMs (bytes, runs) {
  const times = []
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    parseRawBtf(bytes, { isValidated: true, allocate: byteLength => new SharedArrayBuffer(byteLength) })
    times.push(performance.now() - started)
    collectGarbage()
  }
  return median(times)
}

/** The same in a process that has compiled nothing yet: what the first kernel after a start costs where no worker was warmed up. */
function coldMs (path) {
  const parser = new URL('../dist/btf/parse.js', import.meta.url).href
  const script = `import { readFileSync } from 'node:fs'
    import { parseRawBtf } from '${parser}'
    const bytes = readFileSync(process.argv[1])
    const started = performance.now()
    parseRawBtf(bytes, { isValidated: true })
    console.log(performance.now() - started)`
  return median(Array.from({ length: 3 }, () => Number(execFileSync(process.execPath, ['--input-type=module', '-e', script, path]))))
}

/** A worker warms up on the running kernel's BTF at start; so does the bench. */
function warmUp (files) {
  const smallest = files.slice(0, 3)
  for (let i = 0; i < 8; i++) {
    for (const { path } of smallest) readAndIndex(path, i % 2 === 0)
  }
}

// Cuts the eBPF ELF objects out of host binaries that embed them (bpftool skeletons keep the whole object in .rodata).
//
//     node extract-objects.mjs OUT_DIR BINARY...
//
// Writes OUT_DIR/<binary>.bpf.o, or <binary>.1.bpf.o, <binary>.2.bpf.o ... where a binary holds several.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46])
const EM_BPF = 247
const ET_REL = 1
const SHT_NOBITS = 8
const EHDR_SIZE = 64
const SHDR_SIZE = 64

/** Byte length of the ELF64 little-endian eBPF object that starts at `start`, or 0 when there is none. */
function objectLength (bytes, start) {
  if (start + EHDR_SIZE > bytes.length) return 0
  const isElf64Little = bytes[start + 4] === 2 && bytes[start + 5] === 1
  if (!isElf64Little) return 0
  if (bytes.readUInt16LE(start + 16) !== ET_REL || bytes.readUInt16LE(start + 18) !== EM_BPF) return 0
  const shoff = Number(bytes.readBigUInt64LE(start + 40))
  const shentsize = bytes.readUInt16LE(start + 58)
  const shnum = bytes.readUInt16LE(start + 60)
  let end = shoff + shnum * shentsize
  if (shentsize !== SHDR_SIZE || shnum === 0 || start + end > bytes.length) return 0
  for (let i = 0; i < shnum; i++) {
    const header = start + shoff + i * SHDR_SIZE
    if (bytes.readUInt32LE(header + 4) === SHT_NOBITS) continue
    const offset = Number(bytes.readBigUInt64LE(header + 24))
    const size = Number(bytes.readBigUInt64LE(header + 32))
    end = Math.max(end, offset + size)
  }
  return start + end > bytes.length ? 0 : end
}

function findObjects (bytes) {
  const found = []
  let at = bytes.indexOf(ELF_MAGIC)
  while (at >= 0) {
    const length = objectLength(bytes, at)
    if (length > 0) found.push(bytes.subarray(at, at + length))
    at = bytes.indexOf(ELF_MAGIC, at + Math.max(length, 1))
  }
  return found
}

const [outDir, ...binaries] = process.argv.slice(2)
if (outDir === undefined || binaries.length === 0) {
  console.error('usage: extract-objects.mjs OUT_DIR BINARY...')
  process.exit(2)
}
mkdirSync(outDir, { recursive: true })
let count = 0
for (const binary of binaries) {
  const objects = findObjects(readFileSync(binary))
  objects.forEach((object, index) => {
    const number = objects.length > 1 ? `.${index + 1}` : ''
    const path = join(outDir, `${basename(binary)}${number}.bpf.o`)
    writeFileSync(`${path}.part`, object)
    renameSync(`${path}.part`, path)
    count++
  })
}
console.log(`${count} objects from ${binaries.length} binaries`)

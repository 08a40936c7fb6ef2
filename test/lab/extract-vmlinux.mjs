// Takes the raw BTF, and if asked the unpacked kernel, out of a kernel image.
//
//     node extract-vmlinux.mjs VMLINUZ OUT.btf [OUT_VMLINUX]
//
// VMLINUZ is an x86 bzImage or an uncompressed vmlinux. The decompressors are the system's gzip, xz, zstd and lz4.

import { spawnSync } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

const DECOMPRESSORS = [
  { name: 'gzip', magic: [0x1f, 0x8b], command: ['gzip', '-dc'], trailer: 0 },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], command: ['xz', '-dc'], trailer: 4 },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], command: ['zstd', '-dc'], trailer: 4 },
  { name: 'lz4', magic: [0x02, 0x21, 0x4c, 0x18], command: ['lz4', '-dc'], trailer: 4 }
]

/**
 * The compressed kernel inside a bzImage.
 *
 * The x86 boot protocol (2.08 and later) says where it is: payload_offset and payload_length in the setup header,
 * counted from the end of the setup sectors. The build appends the unpacked size (4 bytes) to all but gzip.
 */
function readPayload (image) {
  if (image.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error('no bzImage setup header')
  const setupSectors = image[0x1f1] || 4
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248)
  return image.subarray(start, start + image.readUInt32LE(0x24c))
}

function decompress (payload) {
  const format = DECOMPRESSORS.find(({ magic }) => magic.every((byte, i) => payload[i] === byte))
  if (format === undefined) throw new Error(`unknown compression ${payload.toString('hex', 0, 8)}`)
  const [command, ...args] = format.command
  const input = payload.subarray(0, payload.length - format.trailer)
  const result = spawnSync(command, args, { input, maxBuffer: 1 << 30 })
  if (result.error) throw result.error
  if (result.stdout.length === 0) throw new Error(`${format.name}: ${result.stderr}`)
  return result.stdout
}

/** Contents of the first section called `name` of a little-endian ELF64 file. */
function readSection (elf, name) {
  const shoff = Number(elf.readBigUInt64LE(40))
  const shentsize = elf.readUInt16LE(58)
  const shnum = elf.readUInt16LE(60)
  const header = (index) => {
    const at = shoff + index * shentsize
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32))
    }
  }
  const names = header(elf.readUInt16LE(62))
  for (let i = 0; i < shnum; i++) {
    const section = header(i)
    const at = names.offset + section.name
    if (elf.toString('latin1', at, elf.indexOf(0, at)) === name) return elf.subarray(section.offset, section.offset + section.size)
  }
  throw new Error(`no section ${name}`)
}

function writeWhole (path, bytes) {
  writeFileSync(`${path}.part`, bytes)
  renameSync(`${path}.part`, path)
}

const [imagePath, btfPath, vmlinuxPath] = process.argv.slice(2)
if (btfPath === undefined) {
  console.error('usage: extract-vmlinux.mjs VMLINUZ OUT.btf [OUT_VMLINUX]')
  process.exit(2)
}
const image = readFileSync(imagePath)
const elf = image.readUInt32BE(0) === 0x7f454c46 ? image : decompress(readPayload(image))
writeWhole(btfPath, readSection(elf, '.BTF'))
if (vmlinuxPath !== undefined) writeWhole(vmlinuxPath, elf)

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import { detectCompression, unpack, unpackWhole } from '../../../src/formats/decompress/decompress.js'
import { createByteReader } from '../../../src/formats/byte-reader.js'
import { concat } from '../../support/byte-writer.js'
import { runs } from '../../support/property-runs.js'
import { packed } from './packed.js'

const MIB = 1024 * 1024

/** By the tool that packed them; xz with each of the kernel's branch filters, with a dictionary of 128 MiB, and with each check. */
const PACKED = [
  'vmlinux.gz', 'vmlinux.bz2', 'vmlinux.lzma', 'vmlinux.lzo', 'vmlinux.lz4', 'vmlinux.frame.lz4', 'vmlinux.zst', 'vmlinux.x86.xz',
  'vmlinux.arm.xz', 'vmlinux.armthumb.xz',
  'vmlinux.arm64.xz', 'vmlinux.powerpc.xz', 'vmlinux.sha256.xz', 'vmlinux.blocks.xz'
]

async function unpackAny (bytes: Uint8Array, maxBytes = MIB): Promise<Uint8Array> {
  const compression = detectCompression(bytes)
  if (compression === undefined) throw new AppError('btf_invalid', 'not packed')
  return await unpackWhole(compression, bytes, maxBytes)
}

describe('unpacking', () => {
  it.each(PACKED)('gives what was packed into %s', async name => {
    expect(Buffer.from(await unpackAny(packed(name))).equals(packed('vmlinux'))).toBe(true)
  })

  it.each(PACKED)('leaves alone the size that the kernel\'s build appends to %s', async name => {
    const size = Uint8Array.of(0x58, 0x2c, 0, 0)
    expect(Buffer.from(await unpackAny(concat(packed(name), size))).equals(packed('vmlinux'))).toBe(true)
  })

  it.each(PACKED)('refuses %s wherever it is cut off', async name => {
    const whole = packed(name)
    for (let length = 0; length < whole.length; length += length < 64 ? 1 : 13) {
      const result = await unpackAny(whole.subarray(0, length)).catch((error: unknown) => error)
      // lz4's legacy frame has no end mark: between two blocks a cut cannot be told.
      if (name === 'vmlinux.lz4' && length === 4) continue
      expect(result, `${name} cut to ${length}`).toBeInstanceOf(AppError)
    }
  })

  it.each([
    'zeros.xz', 'zeros.lzma', 'zeros.bz2', 'zeros.zst', 'zeros.lzo', 'zeros.lz4'
  ])('stops %s, of 32 MiB, at the bound', async name => {
    const bytes = packed(name)
    const compression = detectCompression(bytes)
    if (compression === undefined) throw new Error(name)
    let total = 0
    const reading = (async () => { for await (const piece of unpack(compression, bytes, 2 * MIB)) total += piece.length })()
    await expect(reading).rejects.toMatchObject({ code: 'too_large' })
    expect(total).toBeLessThanOrEqual(2 * MIB)
  })

  it.each(PACKED)('gives what was packed into %s, however it arrives', async name => {
    const bytes = packed(name)
    const compression = detectCompression(bytes)
    if (compression === undefined) throw new Error(name)
    for (const size of [1, 7, 4096]) {
      const arriving = (async function * () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size) })()
      const pieces: Uint8Array[] = []
      for await (const piece of unpack(compression, createByteReader(arriving, 'test'), MIB)) pieces.push(piece)
      expect(Buffer.concat(pieces).equals(packed('vmlinux')), `${size} at a time`).toBe(true)
    }
  })

  it('takes no more of what arrives than it has to give', async () => {
    for (const name of ['zeros.xz', 'zeros.lz4', 'zeros.zst']) {
      const bytes = packed(name)
      const compression = detectCompression(bytes)
      if (compression === undefined) throw new Error(name)
      const reader = createByteReader((async function * () { for (const byte of bytes) yield Uint8Array.of(byte) })(), 'test')
      const pieces = unpack(compression, reader, 64 * MIB)
      await pieces.next()
      await pieces.return(undefined)
      expect(reader.consumed, name).toBeLessThan(bytes.length / 2)
    }
  })

  it('notices a flipped byte in what has a checksum', async () => {
    for (const name of [
      'vmlinux.gz', 'vmlinux.sha256.xz', 'vmlinux.x86.xz', 'vmlinux.bz2', 'vmlinux.lzo', 'vmlinux.zst', 'vmlinux.frame.lz4'
    ]) {
      const bytes = packed(name)
      const middle = Math.floor(bytes.length * 0.7)
      bytes[middle] = (bytes[middle] ?? 0) ^ 0x10
      await expect(unpackAny(bytes), name).rejects.toBeInstanceOf(AppError)
    }
  })

  it('asks for no dictionary above 128 MiB, whatever the header says', async () => {
    const lzma = packed('vmlinux.lzma')
    new DataView(lzma.buffer).setUint32(1, 0x7f000000, true)
    await expect(unpackAny(lzma)).rejects.toThrow(/dictionary of 2130706432 bytes/)
    const zstd = packed('zeros.zst')
    zstd[4] = (zstd[4] ?? 0) & ~0x20
    zstd[5] = 0xff
    await expect(unpackAny(zstd)).rejects.toBeInstanceOf(AppError)
  })

  it('answers damage with an error of its own or with bytes, never with another failure', async () => {
    await fc.assert(fc.asyncProperty(
      fc.constantFrom(...PACKED),
      fc.array(
        fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), value: fc.integer({ min: 0, max: 255 }) }),
        { minLength: 1, maxLength: 6 }
      ),
      async (name, changes) => {
        const bytes = packed(name)
        for (const { at, value } of changes) bytes[Math.floor(at * bytes.length)] = value
        const result = await unpackAny(bytes, 4 * MIB).catch((error: unknown) => error)
        expect(result instanceof Uint8Array || result instanceof AppError).toBe(true)
      }
    ), runs(400))
  })
})

import { describe, expect, it } from 'vitest'
import { findBtf } from '../../../src/formats/find-btf.js'
import type { Found } from '../../../src/formats/found.js'
import { readFileOfKernel } from '../../../src/formats/images/read-image.js'
import { concat } from '../../support/byte-writer.js'
import { packed } from './packed.js'

const DEBIAN = { release: '6.1.0-50-amd64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)', arch: 'x86_64' }
const KERNEL = [{ kind: 'vmlinux', evidence: DEBIAN, btf: packed('vmlinux.btf') }]

async function find (bytes: Uint8Array): Promise<Found[]> {
  const found: Found[] = []
  for await (const one of findBtf(bytes, 'file')) found.push(one.kind === 'vmlinux' ? { ...one, btf: new Uint8Array(one.btf) } : one)
  return found
}

/** Android's boot image, by https://source.android.com/docs/core/architecture/bootloader/boot-image-header. */
function bootImage (version: number, kernel: Uint8Array, page = 4096): Uint8Array {
  const head = new Uint8Array(page)
  const view = new DataView(head.buffer)
  head.set(new TextEncoder().encode('ANDROID!'))
  view.setUint32(8, kernel.length, true)
  if (version < 3) view.setUint32(36, page, true)
  view.setUint32(40, version, true)
  return concat(head, kernel, new Uint8Array(page - kernel.length % page))
}

/** A PE program of two sections, the second of which is the kernel, by the PE specification of Microsoft. */
function uki (kernel: Uint8Array, claimed = kernel.length): Uint8Array {
  const head = new Uint8Array(0x400)
  const view = new DataView(head.buffer)
  head.set(new TextEncoder().encode('MZ'))
  view.setUint32(0x3c, 0x80, true)
  head.set(new TextEncoder().encode('PE\0\0'), 0x80)
  view.setUint16(0x86, 2, true)
  view.setUint16(0x94, 0xf0, true)
  const table = 0x80 + 24 + 0xf0
  head.set(new TextEncoder().encode('.osrel'), table)
  head.set(new TextEncoder().encode('.linux'), table + 40)
  view.setUint32(table + 48, claimed, true)
  view.setUint32(table + 56, Math.ceil(claimed / 512) * 512, true)
  view.setUint32(table + 60, 0x400, true)
  return concat(head, kernel, new Uint8Array(512))
}

describe("Android's boot.img", () => {
  it.each([
    0, 1, 2, 3, 4
  ])('of header version %s has its kernel on the second page, packed in either of lz4\'s frames or by gzip', async version => {
    for (const name of ['vmlinux.lz4', 'vmlinux.frame.lz4', 'vmlinux.gz']) {
      expect(await find(bootImage(version, packed(name)))).toMatchObject(KERNEL)
    }
  })

  it('has a kernel with device trees behind it in older versions', async () => {
    expect(
      await find(bootImage(0, concat(packed('vmlinux.gz'), Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed), new Uint8Array(100)), 2048))
    ).toMatchObject(KERNEL)
  })

  it('is refused where it is cut off, has no kernel, or says nonsense', async () => {
    const whole = bootImage(2, packed('vmlinux.lz4'))
    expect(await find(whole.subarray(0, 5000))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('cut off') }])
    expect(await find(whole.subarray(0, 20))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('header') }])
    expect(await find(bootImage(4, new Uint8Array(0)))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('no kernel') }])
    new DataView(whole.buffer).setUint32(36, 0xffffffff, true)
    expect(await find(whole)).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('page size') }])
  })
})

describe('a unified kernel image', () => {
  it('has its kernel in the section .linux', async () => {
    expect(await find(uki(packed('vmlinux.zst')))).toMatchObject(KERNEL)
  })

  it('is refused where that lies outside of the file', async () => {
    expect(await find(uki(packed('vmlinux.zst'), 0x7fffffff))).toMatchObject([
      { kind: 'unread', reason: expect.stringContaining('cut off') }
    ])
  })
})

describe('the BTF of a file in a Buffer', () => {
  it.each(['vmlinux', 'vmlinux.gz'])('is a copy that does not keep the file, from %s', async name => {
    const found = await readFileOfKernel(Buffer.concat([packed(name)]), { place: 'file', evidence: {} }, 1 << 26)
    if (found.kind !== 'vmlinux') throw new Error(`A kernel was expected, not ${found.kind}.`)
    expect(Buffer.compare(found.btf, packed('vmlinux.btf'))).toBe(0)
    expect(found.btf.buffer.byteLength).toBe(found.btf.length)
  })
})

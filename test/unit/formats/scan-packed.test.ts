import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { scanPackedKernel } from '../../../src/formats/images/scan-packed.js'
import { concat } from '../../support/byte-writer.js'
import { bzImage } from '../../support/bz-image.js'
import { packed } from './packed.js'

const EVIDENCE = { release: '6.1.0-50-amd64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)', arch: 'x86_64' }
const BTF = largeBtf(new Uint8Array(readFileSync(fileURLToPath(new URL('../../../examples/kernels/sample.btf', import.meta.url)))))

/** Less than 64 KiB are no kernel's: the same types with one long string more. */
function largeBtf (btf: Uint8Array): Uint8Array {
  const large = concat(btf, new TextEncoder().encode(`${'x'.repeat(70_000)}\0`))
  const view = new DataView(large.buffer)
  view.setUint32(20, view.getUint32(20, true) + 70_001, true) // the header's str_len
  return large
}

/** A bzImage in pieces, as a package has it. */
function piecesOf (payload: Uint8Array): Uint8Array[] {
  const [image, bytes] = [bzImage(payload), 2000]
  return Array.from({ length: Math.ceil(image.length / bytes) }, (_, i) => image.subarray(i * bytes, (i + 1) * bytes))
}

describe('a bzImage that is scanned while it is unpacked', () => {
  it('gives banner and BTF, and lets go of the pieces that were read', async () => {
    const image = piecesOf(gzipSync(concat(packed('vmlinux.nobtf'), new Uint8Array(5000), BTF, new Uint8Array(10_000))))
    const scanned = await scanPackedKernel(image)
    expect(scanned?.evidence).toMatchObject(EVIDENCE)
    expect(Buffer.compare(scanned?.btf ?? new Uint8Array(0), BTF)).toBe(0)
    expect(image).toEqual([])
  })

  it('without BTF says so, and which kernel it is', async () => {
    const scanned = await scanPackedKernel(piecesOf(gzipSync(concat(packed('vmlinux.nobtf'), new Uint8Array(100_000)))))
    expect(scanned).toMatchObject({ btf: undefined, evidence: EVIDENCE })
  })

  it('is refused where its content is cut off, or is no ELF file', async () => {
    const whole = gzipSync(concat(packed('vmlinux.nobtf'), BTF))
    await expect(scanPackedKernel(piecesOf(whole.subarray(0, whole.length / 2)))).rejects.toMatchObject({ code: 'btf_invalid' })
    await expect(scanPackedKernel(piecesOf(gzipSync(new Uint8Array(10_000))))).rejects.toMatchObject({
      code: 'btf_invalid', message: expect.stringContaining('ELF')
    })
  })

  it('is left alone where it is of another form', async () => {
    for (const image of [[packed('vmlinux.gz')], piecesOf(new Uint8Array(5000))]) {
      const before = [...image]
      expect(await scanPackedKernel(image)).toBeUndefined()
      expect(image).toEqual(before)
    }
  })
})

import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import type { Evidence } from '../../../src/identity/evidence.js'
import { extractBtf } from '../../../src/import/extract.js'
import { NO_BTF, type Found } from '../../../src/formats/found.js'
import { btf, at as field, integers } from '../../support/btf-builder.js'
import { bzImage } from '../../support/bz-image.js'
import { ByteWriter, concat } from '../../support/byte-writer.js'
import { elf } from '../../support/elf-writer.js'
import { runs } from '../../support/property-runs.js'
import { packed } from '../formats/packed.js'

async function find (bytes: Uint8Array, evidence: Evidence = {}): Promise<Found[]> {
  const found: Found[] = []
  for await (const one of extractBtf(bytes, 'file', { evidence })) found.push(one)
  return found
}

const DEBIAN = { release: '6.1.0-50-amd64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)', arch: 'x86_64' }
const PACKINGS = ['vmlinux.gz', 'vmlinux.bz2', 'vmlinux.lzma', 'vmlinux.lzo', 'vmlinux.lz4', 'vmlinux.zst', 'vmlinux.x86.xz']

function withUnpackedSize (payload: Uint8Array): Uint8Array { return concat(payload, Uint8Array.of(0x58, 0x2c, 0, 0)) }

/** What begins arch/arm64's Image. */
function arm64Image (content: Uint8Array): Uint8Array {
  const head = new Uint8Array(64)
  head.set(new TextEncoder().encode('MZ'))
  head.set(new TextEncoder().encode('ARM\x64'), 0x38)
  return concat(head, content)
}

const ARM64_BANNER = new TextEncoder().encode('\0Linux version 6.1.0-50-arm64 (b@h) (gcc) #1 SMP Debian 6.1.176-1 (2026-07-02)\n\0')

/** BTF as large as a kernel's: nothing smaller is looked for in an image without sections. */
function largeBtf (name = 'task_struct'): Uint8Array {
  const b = btf()
  const { int } = integers(b)
  for (let i = 0; i < 3000; i++) b.struct(`filler_${i}`, 4, [field('x', 0, int)])
  b.struct(name, 4, [field('pid', 0, int)])
  return b.bytes()
}

describe('what a file is', () => {
  it('is told for raw BTF, which names no kernel', async () => {
    expect(await find(packed('vmlinux.btf'))).toEqual([{ kind: 'vmlinux', place: 'file', btf: packed('vmlinux.btf'), evidence: {} }])
  })

  it('is told for vmlinux, with its banner and machine', async () => {
    const [found] = await find(packed('vmlinux'))
    expect(found).toMatchObject({ kind: 'vmlinux', evidence: DEBIAN })
    expect(found).toHaveProperty('btf', packed('vmlinux.btf'))
  })

  it('is told for a module, whose name and release are in its .modinfo', async () => {
    const [found] = await find(packed('snd-demo.ko'))
    expect(found).toMatchObject({ kind: 'module', name: 'snd_demo', evidence: { release: '6.1.0-50-amd64', arch: 'x86_64' } })
    expect(found).toHaveProperty('btf', packed('snd-demo.btf'))
  })

  it('is told for a kernel without BTF, and for one with DWARF that BTF can be made of', async () => {
    expect(await find(packed('vmlinux.nobtf'))).toMatchObject([{ kind: 'unread', reason: NO_BTF, evidence: DEBIAN }])
    expect(await find(packed('vmlinux.debug'))).toMatchObject([{ kind: 'dwarf', evidence: DEBIAN }])
  })

  it.each(PACKINGS)('is told for %s alone and as the payload of a bzImage', async name => {
    for (const bytes of [packed(name), bzImage(withUnpackedSize(packed(name)))]) {
      const [found] = await find(bytes)
      expect(found).toMatchObject({ kind: 'vmlinux', evidence: DEBIAN })
      expect(Buffer.from(found?.kind === 'vmlinux' ? found.btf : []).equals(packed('vmlinux.btf'))).toBe(true)
    }
  })

  it.each(PACKINGS)('is found by search for %s where the image does not say where its payload is', async name => {
    const decoys = concat(Uint8Array.of(0x1f, 0x8b, 0x08, 0, 1, 2, 3), Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 9, 9, 9))
    expect(await find(bzImage(concat(decoys, packed(name), new Uint8Array(16)), 0x204))).toMatchObject([
      { kind: 'vmlinux', evidence: DEBIAN }
    ])
    const zImage = new Uint8Array(64)
    new DataView(zImage.buffer).setUint32(0x24, 0x016f2818, true)
    expect(await find(concat(zImage, decoys, packed(name)))).toMatchObject([{ kind: 'vmlinux', evidence: { ...DEBIAN } }])
  })

  it('is told for an EFI zboot image', async () => {
    const head = new Uint8Array(64)
    head.set(new TextEncoder().encode('MZ\0\0zimg'))
    const payload = packed('vmlinux.zst')
    new DataView(head.buffer).setUint32(8, 64, true)
    new DataView(head.buffer).setUint32(12, payload.length, true)
    expect(await find(concat(head, payload))).toMatchObject([{ kind: 'vmlinux', evidence: DEBIAN }])
  })

  it('is told for an image without sections, where only BTF that is whole and a kernel\'s counts', async () => {
    const kernel = largeBtf()
    const image = arm64Image(concat(
      new Uint8Array(100), largeBtf('not_a_kernel'), new Uint8Array(7), kernel.subarray(0, 5000), kernel, ARM64_BANNER
    ))
    expect(await find(image)).toMatchObject([{ kind: 'vmlinux', evidence: { release: '6.1.0-50-arm64', arch: 'arm64' } }])
    const [found] = await find(image)
    expect(found?.kind === 'vmlinux' && Buffer.from(found.btf).equals(kernel)).toBe(true)
    expect(await find(arm64Image(concat(new Uint8Array(100), ARM64_BANNER)))).toMatchObject([
      { kind: 'unread', reason: NO_BTF, evidence: { arch: 'arm64' } }
    ])
    expect(await find(arm64Image(concat(kernel, kernel, ARM64_BANNER)))).toMatchObject([
      { kind: 'unread', reason: expect.stringContaining('2 parts') }
    ])
  })

  it.each([32, 64] as const)('is told for an ELF file of %s bits whose .BTF is compressed', async elfClass => {
    const content = packed('vmlinux.btf')
    const header = new ByteWriter('little').u32(1)
    if (elfClass === 64) header.u32(0).u64(content.length).u64(1)
    else header.u32(content.length).u32(1)
    const file = (size: number) => {
      const data = concat(header.finish(), new Uint8Array(deflateSync(content)))
      new DataView(data.buffer).setUint32(elfClass === 64 ? 8 : 4, size, true)
      return elf({ elfClass, machine: 62, sections: [{ name: '.BTF', flags: 0x800, data }] }).bytes
    }
    const [found] = await find(file(content.length))
    expect(found?.kind === 'vmlinux' && Buffer.from(found.btf).equals(content)).toBe(true)
    expect(await find(file(content.length - 1))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('does not decompress') }])
    expect(await find(file(0x7fffffff))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('at most') }])
  })

  it('is said in plain words where it is nothing of a kernel', async () => {
    expect(await find(new TextEncoder().encode('<html>not found</html>'))).toMatchObject([
      { kind: 'unread', reason: expect.stringContaining('not BTF, ELF') }
    ])
    expect(await find(new Uint8Array(0))).toMatchObject([{ kind: 'unread', reason: 'The file is empty.' }])
  })
})

describe('a kernel package', () => {
  it.each([
    'xz', 'zstd', 'gzip', 'lz4', 'none'
  ])('of Debian, its data packed by %s, gives its kernel and modules and says whose they are', async packing => {
    const found = await find(packed(`linux-image.${packing}.deb`))
    expect(found).toMatchObject([
      { kind: 'vmlinux', place: 'file: boot/vmlinuz-6.1.0-50-amd64', evidence: { ...DEBIAN, distro: 'debian' } },
      {
        kind: 'module',
        place: 'file: lib/modules/6.1.0-50-amd64/kernel/sound/snd-demo.ko',
        name: 'snd_demo',
        evidence: { release: '6.1.0-50-amd64', distro: 'debian' }
      }
    ])
  })

  it.each(['gzdio', 'xzdio', 'lzdio', 'bzdio', 'zstdio'])('of Fedora, its payload written with %s, does so too', async packing => {
    const found = await find(packed(`kernel-core.w6.${packing}.rpm`))
    const fedora = { release: '5.8.18-100.fc31.x86_64', arch: 'x86_64', distro: 'fedora', distroVersion: '31' }
    expect(found).toHaveLength(2)
    expect(found).toEqual(expect.arrayContaining([
      expect.objectContaining({
        kind: 'vmlinux', evidence: { ...fedora, kernelVersion: '#1 SMP PREEMPT_DYNAMIC Mon Nov 2 20:55:00 UTC 2020' }
      }),
      expect.objectContaining({ kind: 'module', name: 'snd_demo', evidence: { ...fedora, kernelVersion: undefined } })
    ]))
  })

  it.each([
    'linux-image.none.deb', 'linux-image.xz.deb', 'kernel-core.w6.gzdio.rpm', 'kernel-core.w6.zstdio.rpm'
  ])('is reported as cut off wherever %s ends', async name => {
    const whole = packed(name)
    for (let length = 1; length < whole.length - 16; length += 61) {
      const found = await find(whole.subarray(0, length))
      const isIncomplete = found.some(({ kind }) => kind === 'unread')
      // Behind the last file that counts, a tar archive has only its end mark.
      if (name !== 'linux-image.none.deb' || length < whole.length - 11_000) expect(isIncomplete, `${name} cut to ${length}`).toBe(true)
    }
  })
})

describe('hostile files', () => {
  const field = (text: string, width: number): string => text.padEnd(width)
  const arHeader = (name: string, size: string): string => field(name, 48).slice(0, 48) + field(size, 10) + '`\n'

  it.each([
    ['an ar member with a huge size', `!<arch>\n${arHeader('debian-binary', '9999999999')}`],
    ['an ar member with a negative size', `!<arch>\n${arHeader('debian-binary', '-5')}`],
    ['an ar member with a size in words', `!<arch>\n${arHeader('debian-binary', 'many')}`],
    ['an ar archive that is no package', `!<arch>\n${arHeader('hello.o', '0')}`],
    ['an ar archive of nothing but headers', `!<arch>\n${Array.from({ length: 100 }, (_, i) => arHeader(`m${i}`, '0')).join('')}`]
  ])('%s is refused', async (_, text) => {
    expect(await find(new TextEncoder().encode(text))).toMatchObject([{ kind: 'unread' }])
  })

  it('an RPM header with a huge count is refused', async () => {
    for (const offset of [96 + 8, 96 + 12]) {
      const rpm = packed('kernel-core.w6.gzdio.rpm')
      new DataView(rpm.buffer).setUint32(offset, 0xffffffff)
      expect(await find(rpm)).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('entries') }])
    }
  })

  it('a payload that lies outside of its image is refused', async () => {
    const image = bzImage(packed('vmlinux.gz'))
    for (const [offset, value] of [[0x248, 0xffffff00], [0x24c, 0xffffffff], [0x24c, 0]] as const) {
      const bent = image.slice()
      new DataView(bent.buffer).setUint32(offset, value, true)
      expect(await find(bent)).toMatchObject([{ kind: 'unread' }])
    }
  })

  it('packages within packages end at a depth', async () => {
    const { gzipSync } = await import('node:zlib')
    let bytes: Uint8Array = packed('vmlinux')
    for (let i = 0; i < 3; i++) bytes = new Uint8Array(gzipSync(bytes))
    expect(await find(bytes)).toMatchObject([{ kind: 'vmlinux' }])
    for (let i = 0; i < 3; i++) bytes = new Uint8Array(gzipSync(bytes))
    expect(await find(bytes)).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('nested more than') }])
  })

  it('damage anywhere is reported, never thrown', async () => {
    const names = [
      'vmlinux', 'snd-demo.ko', 'linux-image.none.deb', 'linux-image.zstd.deb', 'kernel-core.w6.gzdio.rpm', 'kernel-core.w6.lzdio.rpm'
    ]
    const images = [bzImage(packed('vmlinux.lz4')), ...names.map(packed)]
    await fc.assert(fc.asyncProperty(
      fc.constantFrom(...images),
      fc.array(
        fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) }),
        { minLength: 1, maxLength: 8 }
      ),
      async (image, changes) => {
        const bytes = image.slice()
        for (const { at, value } of changes) bytes[Math.floor(at * bytes.length)] = value
        try {
          for (const found of await find(bytes)) expect(['vmlinux', 'module', 'dwarf', 'unread']).toContain(found.kind)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
          throw error
        }
      }
    ), runs(300))
  })
})

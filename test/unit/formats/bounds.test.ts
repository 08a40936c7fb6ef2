import { describe, expect, it } from 'vitest'
import { isWithinJsonBounds } from '../../../src/bytes/json-bounds.js'
import { AppError } from '../../../src/errors.js'
import { findBtf } from '../../../src/formats/find-btf.js'
import { WANT_KERNEL } from '../../../src/formats/find-options.js'
import type { Found } from '../../../src/formats/found.js'
import { openBtf } from '../../../src/formats/open-btf.js'
import { extractBtf } from '../../../src/import/extract.js'
import { parseListing } from '../../../src/kernels/catalog/parse-listing.js'
import { concat } from '../../support/byte-writer.js'
import { elf } from '../../support/elf-writer.js'
import { tarOf, xzOf } from '../../support/xz-writer.js'
import { packed } from './packed.js'

const MIB = 1024 * 1024

async function all (found: AsyncIterable<Found>): Promise<Found[]> {
  const list: Found[] = []
  for await (const one of found) list.push(one)
  return list
}

/** Bytes of heap that are in use beyond what was before, at the largest seen while the work runs. */
async function heapOf (work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().heapUsed
  let most = before
  const watch = setInterval(() => { most = Math.max(most, process.memoryUsage().heapUsed) }, 5)
  await work()
  clearInterval(watch)
  return Math.max(most, process.memoryUsage().heapUsed) - before
}

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

/** A header of a tar archive, which claims a size. */
function tarHeader (name: string, type: string, size: number): Uint8Array {
  const block = Buffer.alloc(512)
  block.write(name, 0, 'latin1')
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  block.write(`        ${type}`, 148, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return new Uint8Array(block)
}

const LONG = 16 * MIB
const filler = new Uint8Array(LONG).fill(0x61)

describe('names and texts that a file makes as long as itself', () => {
  it.each([
    ["GNU's long name of a tar archive", () => concat(tarHeader('././@LongLink', 'L', LONG), filler)],
    ['a PAX header of a tar archive', () =>
      concat(tarHeader('PaxHeaders/x', 'x', LONG), latin1(`${LONG} path=`), filler.subarray(0, LONG - 14))],
    ['a PAX header in a Debian package', async () => {
      const control = concat(tarHeader('PaxHeaders/x', 'x', LONG), filler)
      return concat(
        latin1(
          `!<arch>\n${'debian-binary'.padEnd(48)}${'4'.padEnd(10)}\`\n2.0\n` +
            `${'control.tar'.padEnd(48)}${String(control.length).padEnd(10)}\`\n`
        ),
        control
      )
    }],
    ['the control file of a Debian package', async () => {
      const control = concat(tarHeader('./control', '0', LONG), filler)
      return concat(
        latin1(
          `!<arch>\n${'debian-binary'.padEnd(48)}${'4'.padEnd(10)}\`\n2.0\n` +
            `${'control.tar'.padEnd(48)}${String(control.length).padEnd(10)}\`\n`
        ),
        control
      )
    }],
    ['the texts of an RPM header', () => {
      const rpm = packed('kernel-core.w6.gzdio.rpm')
      const header = Buffer.from(rpm).indexOf(Buffer.from([0x8e, 0xad, 0xe8, 0x01]), 100)
      const long = concat(rpm.subarray(0, header + 16), rpm.subarray(header + 16))
      new DataView(long.buffer).setUint32(header + 12, LONG)
      return concat(long, filler)
    }],
    [
      'the strings of a module',
      () =>
        elf({
          machine: 62,
          sections: [
            { name: '.modinfo', data: concat(latin1('name='), filler) }, { name: '.gnu.linkonce.this_module', data: new Uint8Array(8) }
          ]
        }).bytes
    ],
    ['the name in a gzip header', () => concat(Uint8Array.of(0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0), filler)]
  ])('%s: no text is made of it', async (_name, make) => {
    const bytes = await make()
    let found: Found[] = []
    expect(await heapOf(async () => { found = await all(findBtf(bytes, 'file')) })).toBeLessThan(12 * MIB)
    expect(found).toMatchObject([{ kind: 'unread' }])
  })

  it('a name of 4,096 bytes is read, in both forms', async () => {
    const name = `${'d/'.repeat(2040)}5.4.0-42-generic.btf`.slice(-4090)
    const archive = await tarOf({ name, bytes: packed('vmlinux.btf') })
    expect(await all(findBtf(archive, 'file'))).toMatchObject([{ kind: 'vmlinux', evidence: { release: '5.4.0-42-generic' } }])
    const gnu = concat(
      tarHeader('././@LongLink', 'L', name.length + 1), latin1(name), new Uint8Array(512 - name.length % 512),
      tarHeader('short', '0', packed('vmlinux.btf').length), packed('vmlinux.btf'), new Uint8Array(2048)
    )
    expect(await all(findBtf(gnu, 'file'))).toMatchObject([{ kind: 'vmlinux', evidence: { release: '5.4.0-42-generic' } }])
  })

  it('an announced size costs nothing before the bytes are there', async () => {
    const before = process.memoryUsage().arrayBuffers
    const archive = xzOf(concat(tarHeader('5.4.0-42-generic.btf', '0', 500 * MIB), new Uint8Array(4096)))
    expect(await all(findBtf(archive, 'file'))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('cut off') }])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * MIB)
  })
})

describe('counts', () => {
  it('a tar archive of more files than any kernel has is refused', async () => {
    const archive = concat(...Array.from({ length: 9000 }, (_, i) => tarHeader(`f${i}`, '0', 0)), new Uint8Array(1024))
    expect(await all(findBtf(archive, 'file'))).toMatchObject([{ kind: 'unread', reason: expect.stringContaining('more than 8192 files') }])
  })

  it('an .xz stream of more blocks than any tool writes is refused', async () => {
    // The same block again and again: its header, one byte stored as it is, and the check.
    const small = xzOf(Uint8Array.of(0))
    const block = small.subarray(12, 12 + 12 + 8 + 4)
    const many = concat(small.subarray(0, 12), ...Array.from({ length: 66_000 }, () => block))
    await expect(openBtf(many, { isModule: false })).rejects.toThrow('more than 65536 blocks')
  })

  it.each(['[', '{"a":', '[{"a":['])('JSON of nothing but %s is not parsed', async opener => {
    const text = latin1(opener.repeat(Math.floor(2 * MIB / opener.length)))
    expect(() => parseListing(text)).toThrow(AppError)
    const bundle = await tarOf({ name: 'corelo-bundle.json', bytes: text })
    expect(await heapOf(async () => {
      expect(await all(extractBtf(bundle, 'file'))).toMatchObject([
        { kind: 'unread', reason: expect.stringContaining('within each other') }
      ])
    })).toBeLessThan(24 * MIB)
  })

  it('brackets and commas in the strings of JSON do not count', () => {
    expect(isWithinJsonBounds(latin1('{"a":"[[[[,,,,\\"[[[","b":[1,2]}'), { depth: 2, values: 4 })).toBe(true)
    expect(isWithinJsonBounds(latin1('[[[1]]]'), { depth: 2, values: 99 })).toBe(false)
    expect(isWithinJsonBounds(latin1('[1,2,3]'), { depth: 2, values: 2 })).toBe(false)
  })
})

describe('an opener with the bounds of a request', () => {
  it('refuses what unfolds to more than a hundred times its size', async () => {
    const bomb = concat(xzOf(concat(tarHeader('5.4.0-42-generic.btf', '0', 64 * MIB))), packed('zeros.xz'), packed('zeros.xz'))
    await expect(openBtf(bomb, { isModule: false, refusesBombs: true })).rejects.toThrow('unpacks to more than 100 times its size')
  })

  /** A package with a MiB behind what matters, and how much of it was taken. */
  function arriving () {
    const deb = concat(packed('linux-image.none.deb'), latin1(`${'_rest'.padEnd(48)}${String(MIB).padEnd(10)}\`\n`), new Uint8Array(MIB))
    const counts = { taken: 0 }
    const pieces = (async function * () {
      for (let at = 0; at < deb.length; at += 1024) {
        counts.taken = at
        yield deb.subarray(at, at + 1024)
      }
    })()
    return { pieces, counts }
  }

  it('ends the reading once the kernel is found', async () => {
    const { pieces, counts } = arriving()
    expect(await all(findBtf(pieces, 'file', { want: WANT_KERNEL }))).toMatchObject([{ kind: 'vmlinux' }])
    expect(counts.taken).toBeLessThan(100_000)
  })

  it('ends the reading once the modules are found that are wanted, and passes the kernel over', async () => {
    const { pieces, counts } = arriving()
    expect(await all(findBtf(pieces, 'file', { want: { kernel: false, modules: new Set(['snd_demo']) } }))).toMatchObject([
      { kind: 'module', name: 'snd_demo' }
    ])
    expect(counts.taken).toBeLessThan(100_000)
  })
})

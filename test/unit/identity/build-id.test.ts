import { describe, expect, it } from 'vitest'
import { buildIdOfNotes, parseBuildId } from '../../../src/identity/build-id.js'
import { refusal } from '../../support/scenario.js'

/** The notes of a kernel of Amazon Linux 2023, as /sys/kernel/notes had them: build-id, LTO, build salt, Xen's. */
const NOTES = Buffer.from(
  '040000001400000003000000474e550024a3598fd700114d0a1b1a4871badcee75d0acac' +
  '0600000004000000010100004c696e757800000000000000' +
  '060000001e000000000100004c696e7578000000362e312e3130322d312e3138322e616d7a6e323032332e7838365f3634000000' +
  '040000000c0000001300000058656e000000000101000000ffffff3f', 'hex')
const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'

const note = (name: string, type: number, descriptor: Uint8Array, littleEndian = true): Buffer => {
  const head = Buffer.alloc(12)
  for (const [i, word] of [Buffer.byteLength(name), descriptor.length, type].entries()) {
    littleEndian ? head.writeUInt32LE(word, 4 * i) : head.writeUInt32BE(word, 4 * i)
  }
  const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - bytes.length % 4) % 4)])
  return Buffer.concat([head, padded(Buffer.from(name)), padded(descriptor)])
}

describe('the build-id among notes', () => {
  it('is that of GNU, wherever it stands and in either byte order', () => {
    expect(buildIdOfNotes(NOTES)).toBe(BUILD_ID)
    const id = Buffer.from(BUILD_ID, 'hex')
    expect(buildIdOfNotes(Buffer.concat([
      note('Linux\0', 257, Buffer.alloc(5)), note('Xen\0', 3, id), note('GNU\0', 1, Buffer.alloc(16)), note('GNU\0', 3, id)
    ]))).toBe(BUILD_ID)
    expect(buildIdOfNotes(note('GNU\0', 3, id, false), false)).toBe(BUILD_ID)
    expect(buildIdOfNotes(note('GNU\0', 3, id.subarray(0, 8)))).toBe(BUILD_ID.slice(0, 16))
  })

  it('is none where there is none, and where notes are cut off or lie about their size', () => {
    expect(buildIdOfNotes(new Uint8Array())).toBeUndefined()
    expect(buildIdOfNotes(note('Xen\0', 3, Buffer.alloc(20)))).toBeUndefined()
    for (let length = 0; length < 36; length++) expect(buildIdOfNotes(NOTES.subarray(0, length)), String(length)).toBeUndefined()
    expect(buildIdOfNotes(Buffer.from(`ffffffffffffffff03000000${'474e5500'.repeat(8)}`, 'hex'))).toBeUndefined()
    expect(buildIdOfNotes(note('GNU\0', 3, Buffer.alloc(4)))).toBeUndefined()
    expect(buildIdOfNotes(note('GNU\0', 3, Buffer.alloc(65)))).toBeUndefined()
  })
})

describe('a build-id in a request', () => {
  it('is hex, in lower case from then on', () => {
    expect(parseBuildId(BUILD_ID.toUpperCase())).toBe(BUILD_ID)
  })

  it.each([
    '', 'abc', BUILD_ID.slice(1), `${BUILD_ID}g0`, '0x24a3598fd700114d', 'ab'.repeat(65), `${BUILD_ID} `, 'ab'.repeat(7)
  ])('is refused as %j', text => {
    expect(refusal('invalid_request', () => parseBuildId(text)).details).toEqual({ field: 'kernel_build_id' })
  })
})

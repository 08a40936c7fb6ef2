import { describe, expect, it } from 'vitest'
import { at, dataView, isInside } from '../../../src/bytes/checked.js'
import { fnv1a } from '../../../src/bytes/hash.js'
import { endOfString, sameBytes, sameString, stringAt } from '../../../src/bytes/strings.js'
import { refusal } from '../../support/scenario.js'

const encode = (text: string) => new TextEncoder().encode(text)

describe('checked access', () => {
  it('gives an element, and throws for an index outside', () => {
    expect(at(Uint32Array.of(7, 8), 1)).toBe(8)
    refusal('internal_error', () => at(new Uint8Array(2), 2))
    refusal('internal_error', () => at(new Int32Array(2), -1))
  })

  it('views bytes where they are in their buffer', () => {
    const whole = Uint8Array.of(1, 2, 3, 4)
    expect(dataView(whole.subarray(2)).getUint8(0)).toBe(3)
    expect(dataView(whole.subarray(2)).byteLength).toBe(2)
  })

  it.each([
    [0, 0, 0, true], [0, 4, 4, true], [4, 0, 4, true], [4, 1, 4, false], [5, 0, 4, false], [-1, 2, 4, false], [1, -1, 4, false],
    [0xffffffff, 0xffffffff, 0x1fffffffe, true], [0xffffffff, 0xffffffff, 0x1fffffffd, false]
  ])('knows whether %i and %i more lie within %i', (offset, length, size, expected) => {
    expect(isInside(offset, length, size)).toBe(expected)
  })
})

describe('strings', () => {
  const table = encode('\0int\0\u00fcber\0tail')

  it('end at their NUL, or with the bytes', () => {
    expect([0, 1, 2, 5, 11].map(offset => endOfString(table, offset))).toEqual([0, 4, 4, 10, table.length])
  })

  it('are read as UTF-8', () => {
    expect([0, 1, 2, 5].map(offset => stringAt(table, offset))).toEqual(['', 'int', 'nt', 'über'])
    expect(stringAt(Uint8Array.of(0x61, 0xff, 0), 0)).toBe('a\ufffd')
  })

  it('are read whole when they are long', () => {
    const long = 'x'.repeat(500) + 'é'
    expect(stringAt(encode(`${long}\0`), 0)).toBe(long)
    expect(stringAt(encode(`${'y'.repeat(500)}\0`), 0)).toBe('y'.repeat(500))
  })

  it('keep a byte order mark, which is part of a name like any character', () => {
    expect(stringAt(encode('\ufeffname\0'), 0)).toBe('\ufeffname')
  })

  it('compare by bytes, to the end of both', () => {
    const a = encode('name\0names\0')
    const b = encode('xx\0name\0')
    expect(sameString(a, 0, b, 3)).toBe(true)
    expect(sameString(a, 5, b, 3)).toBe(false)
    expect(sameString(a, 0, a, 5)).toBe(false)
    expect(sameString(encode('tail'), 0, encode('tail\0'), 0)).toBe(true)
    expect(sameString(encode('\0'), 0, encode('\0'), 0)).toBe(true)
  })

  it('compare in part', () => {
    const a = encode('name___flavor')
    const b = encode('name')
    expect(sameBytes(a, 0, b, 0, 4)).toBe(true)
    expect(sameBytes(a, 0, b, 0, 5)).toBe(false)
    expect(sameBytes(a, 3, b, 3, 0)).toBe(true)
  })
})

describe('hash', () => {
  it.each([['', 0x811c9dc5], ['a', 0xe40c292c], ['foobar', 0xbf9cf968]])('of "%s" is that of FNV-1a', (text, hash) => {
    const bytes = encode(`__${text}__`)
    expect(fnv1a(bytes, 2, text.length)).toBe(hash)
  })
})

import { expect, it } from 'vitest'
import { encodedNames } from '../../../src/check/formats/encoded-names.js'

const textOf = (names: readonly string[], from: number, to: number): string => {
  const { bytes, starts } = encodedNames(names, to)
  return bytes.subarray(starts[from], starts[to]).toString()
}

it('names are encoded as JSON would, whatever characters they have and however long they are', () => {
  const names = ['fleet/1/x86_64/6.1.0', 'jalape\u00f1o', '"quoted"', 'x'.repeat(10_000), '\u{1f427}']
  expect(`[${textOf(names, 0, names.length).slice(1)}]`).toBe(JSON.stringify(names))
})

it('names that come to a list later are there when they are asked for', () => {
  const names = ['a', 'b']
  expect(textOf(names, 0, 1)).toBe(',"a"')
  for (let i = 0; i < 100; i++) names.push(`later ${i}`)
  expect(textOf(names, 1, 3)).toBe(',"b","later 0"')
  expect(textOf(names, 101, 102)).toBe(',"later 99"')
})

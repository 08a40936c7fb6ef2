import { describe, expect, it } from 'vitest'
import { printable, shorten, table, wrapText } from '../../../src/cli/table.js'

describe('table', () => {
  it('aligns columns by what is visible, and leaves no trailing space', () => {
    expect(table(['A', 'B'], [['long', '1'], ['\u001b[33mred\u001b[39m', '22'], ['x', '']], ' ')).toEqual([
      ' A     B',
      ' long  1',
      ' \u001b[33mred\u001b[39m   22',
      ' x'
    ])
  })
})

describe('wrapText', () => {
  it('breaks at spaces and keeps long words whole', () => {
    expect(wrapText('aa bb cc', 5)).toEqual(['aa bb', 'cc'])
    expect(wrapText('a verylongword b', 4)).toEqual(['a', 'verylongword', 'b'])
  })
})

describe('printable', () => {
  it('lets no escape sequence, line break or direction mark of a file reach the terminal', () => {
    expect(printable('\u001b]0;owned\u0007\u202eevil\n x')).toBe('?]0;owned??evil? x')
  })

  it('joins the blanks that source code is indented with', () => {
    expect(printable('\t\tif  (x)\t')).toBe('if (x)')
  })
})

describe('shorten', () => {
  it('marks what it cut', () => {
    expect(shorten('abcdef', 4)).toBe('abc…')
    expect(shorten('abcd', 4)).toBe('abcd')
  })
})

import fc from 'fast-check'

const SURROGATES = { first: 0xd800, count: 0x800 } as const
const MAX_CODE_POINT = 0x10ffff

/**
 * Any character of Unicode, as a unit of texts: what fast-check calls `binary`, which makes a map of all million of them first, and that in
 * each thread. Its texts that are known to be dangerous (`__proto__`) occur all the same, since a character is told from its text.
 */
export const anyCharacter = fc.integer({ min: 0, max: MAX_CODE_POINT - SURROGATES.count }).map(
  number => String.fromCodePoint(number < SURROGATES.first ? number : number + SURROGATES.count),
  text => {
    if (typeof text !== 'string' || [...text].length !== 1) throw new Error('not one character')
    const code = text.codePointAt(0) ?? 0
    return code < SURROGATES.first ? code : code - SURROGATES.count
  }
)

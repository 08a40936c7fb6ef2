import { ENGINE } from '../../../src/relocation/engine.js'
import { describe, expect, it } from 'vitest'
import { contentLocationOf, digestOf, DIGEST_OF_NOTHING, etagOf, isNoneMatchHit, serverTimingOf } from '../../../src/http/headers.js'
import { sha256 } from '../../../src/store/sha256.js'

const HASH = sha256('content')
const OTHER = sha256('other content')

describe('digests', () => {
  it('are base64 between colons, as RFC 9530 has them', () => {
    expect(digestOf(sha256(''))).toBe(DIGEST_OF_NOTHING)
    expect(digestOf(HASH)).toMatch(/^sha-256=:[A-Za-z0-9+/]{43}=:$/)
  })
})

describe('If-None-Match', () => {
  it.each([
    [etagOf(HASH), true],
    [`W/${etagOf(HASH)}`, true],
    [`${etagOf(OTHER)}, ${etagOf(HASH)}`, true],
    ['*', true],
    [etagOf(OTHER), false],
    [etagOf(HASH, '.report'), false],
    [HASH, false],
    ['', false],
    [undefined, false]
  ])('%s of the content is a hit: %s', (header, expected) => {
    expect(isNoneMatchHit(header, etagOf(HASH))).toBe(expected)
  })
})

describe('Content-Location', () => {
  const answer = { objectSha256: HASH, btfSha256: OTHER, moduleSha256s: [] as Array<typeof HASH> }

  it('names the object and the BTF', () => {
    expect(contentLocationOf(answer as never)).toBe(`/relocated/${HASH}/${OTHER}?engine=${ENGINE.version}`)
  })

  it('spells out the hashes of modules', () => {
    expect(contentLocationOf({ ...answer, moduleSha256s: [HASH, OTHER] } as never)).toBe(
      `/relocated/${HASH}/${OTHER}?engine=${ENGINE.version}&modules=${HASH},${OTHER}`
    )
  })
})

describe('Server-Timing', () => {
  it('gives milliseconds to the microsecond', () => {
    expect(serverTimingOf({ resolve: 0.12345, fetch: 0, parse: 10, relocate: 1.9996 })).toBe(
      'resolve;dur=0.123, fetch;dur=0, parse;dur=10, relocate;dur=2'
    )
  })
})

import { parse } from 'node:querystring'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseQueryString } from '../../../src/http/query-string.js'

describe('a query', () => {
  it.each([
    ['', {}],
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a=1&a=2', { a: ['1', '2'] }],
    ['release=6.12.107+deb13-amd64', { release: '6.12.107+deb13-amd64' }],
    ['release=6.12.107%2Bdeb13-amd64', { release: '6.12.107+deb13-amd64' }],
    ['kernel_version=%231%20SMP', { kernel_version: '#1 SMP' }],
    ['a', { a: '' }],
    ['a=%zz', { a: '%zz' }],
    ['__proto__=x', Object.fromEntries([['__proto__', 'x']])]
  ])('%s is read as it stands', (text, expected) => {
    expect({ ...parseQueryString(text) }).toEqual(expected)
  })

  it('without a plus sign is read as Node reads it', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '__proto__', 'constructor', '=', '&', ' ', ';', '%41', '%'), { maxLength: 200 })
    fc.assert(fc.property(text, pieces => {
      const query = pieces.join('')
      expect({ ...parseQueryString(query) }).toEqual({ ...parse(query, '&', '=', { maxKeys: 64 }) })
    }))
  })

  it('has nothing that it was not given', () => {
    expect([parseQueryString('a=1')['toString'], parseQueryString('a=%31')['toString']]).toEqual([undefined, undefined])
  })
})

import { describe, expect, it } from 'vitest'
import { acceptsGzip, mediaTypeOf, negotiate } from '../../../src/http/accept.js'
import { refusal } from '../../support/scenario.js'

const OFFERS = ['application/x-elf', 'application/octet-stream', 'application/json', 'multipart/form-data'] as const
const chosen = (header: string | undefined): string => negotiate(header, OFFERS)

describe('content negotiation', () => {
  it.each([
    [undefined, 'application/x-elf'],
    ['', 'application/x-elf'],
    ['*/*', 'application/x-elf'],
    ['application/*', 'application/x-elf'],
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    ['application/octet-stream', 'application/octet-stream'],
    ['multipart/*', 'multipart/form-data'],
    ['application/json, */*;q=0.5', 'application/json'],
    ['application/json;q=0.5, */*', 'application/x-elf'],
    ['application/json;q=0.5, application/x-elf;q=0.4', 'application/json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/x-elf'],
    ['application/json, application/octet-stream', 'application/octet-stream'],
    ['nonsense, application/json', 'application/json']
  ])('answers Accept: %s with %s', (header, expected) => {
    expect(chosen(header)).toBe(expected)
  })

  it('lets the most specific range decide, whatever its place', () => {
    expect(chosen('*/*, application/x-elf;q=0, application/octet-stream;q=0')).toBe('application/json')
    expect(chosen('application/*;q=0.1, multipart/form-data;q=0.2')).toBe('multipart/form-data')
  })

  it.each([
    'text/html', 'application/x-elf;q=0', 'image/*', 'application/json;q=2', ',', 'json'
  ])('refuses Accept: %s and says what there is', header => {
    expect(refusal('not_acceptable', () => chosen(header)).details).toEqual({ available: OFFERS })
  })
})

describe('compression', () => {
  it.each([
    'gzip', 'gzip, deflate, br', 'br;q=1.0, GZIP;q=0.8, *;q=0.1', 'x-gzip', '*', 'deflate, *;q=0.5'
  ])('is taken by Accept-Encoding: %s', header => {
    expect(acceptsGzip(header)).toBe(true)
  })

  it.each([
    undefined, '', 'identity', 'br, deflate', 'gzip;q=0', 'gzip;q=0, *', '*;q=0', 'gzip;q=2', 'gzipped'
  ])('is not taken by Accept-Encoding: %s', header => {
    expect(acceptsGzip(header)).toBe(false)
  })
})

describe('the media type of a body', () => {
  it.each([
    [undefined, undefined],
    ['application/octet-stream', 'application/octet-stream'],
    ['Multipart/Form-Data; boundary=x', 'multipart/form-data'],
    [' text/plain ;charset=utf-8', 'text/plain']
  ])('of %s is %s', (header, expected) => {
    expect(mediaTypeOf(header)).toBe(expected)
  })
})

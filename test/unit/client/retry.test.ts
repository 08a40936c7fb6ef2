import { describe, expect, it } from 'vitest'
import { toError, transportError, isPassing } from '../../../src/client/problem.js'
import { DEFAULT_BACKOFF, waitAfter, withRetries } from '../../../src/client/retry.js'
import type { AppError } from '../../../src/errors.js'
import { parseRetryAfter } from '../../../src/retry-after.js'

const down = (): AppError => transportError('source_failed', 'http://service', 'It is down.', undefined)

function problem (status: number, code: string, retryAfter: string | null = null): AppError {
  return toError({
    server: 'http://service',
    status,
    contentType: 'application/problem+json; charset=utf-8',
    retryAfter,
    body: Buffer.from(JSON.stringify({ status, code, detail: 'So it is.', request_id: 'r-1', sources: ['local'] }))
  })
}

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    ['5', 5000],
    [' 7 ', 7000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['99999999', 3_600_000],
    ['soon', undefined],
    [undefined, undefined]
  ])('%j means %s milliseconds', (header, ms) => { expect(parseRetryAfter(header, now)).toBe(ms) })
})

describe('the wait after a failure', () => {
  it('grows from try to try up to its limit, and is never the same for all', () => {
    const waits = (random: number): number[] =>
      [1, 2, 3, 50].map(failures => waitAfter(failures, down(), { baseMs: 100, maxMs: 1000 }, random))
    expect(waits(0)).toEqual([50, 100, 200, 500])
    expect(waits(1)).toEqual([100, 200, 400, 1000])
  })

  it('is at least what the service asked for, and somewhat more for most', () => {
    const error = problem(503, 'overloaded', '10')
    expect(waitAfter(1, error, DEFAULT_BACKOFF, 0)).toBe(10_000)
    expect(waitAfter(4, error, DEFAULT_BACKOFF, 1)).toBeGreaterThan(11_000)
    expect(waitAfter(1, error, { baseMs: 1, maxMs: 20 }, 1)).toBeLessThan(10_100)
  })
})

describe('an answer that is an error', () => {
  it('keeps its code, its sentence and its members', () => {
    expect(problem(404, 'kernel_unknown')).toMatchObject({
      code: 'kernel_unknown',
      message: 'So it is.',
      details: { kind: 'problem', status: 404, request_id: 'r-1', sources: ['local'], server: 'http://service' }
    })
  })

  it.each([
    [502, 'text/html', 'source_failed', true],
    [503, 'text/html', 'overloaded', true],
    [401, 'application/json', 'unauthorized', false],
    [302, 'text/html', 'source_invalid', true],
    [418, 'text/plain', 'source_invalid', true]
  ])('of status %i and type %s, as a proxy gives it, is %s', (status, contentType, code, passes) => {
    const error = toError({ server: 'http://service', status, contentType, retryAfter: null, body: Buffer.from('<p>') })
    expect(error.code).toBe(code)
    expect(isPassing(error)).toBe(passes)
  })

  it.each([
    '"text"', '{"code":"no_such_code","detail":"x"}', '{"code":"draining"}', 'not json', 'null'
  ])('does without a problem document that says %s', body => {
    const error = toError({
      server: 'http://service', status: 503, contentType: 'application/problem+json', retryAfter: null, body: Buffer.from(body)
    })
    expect(error).toMatchObject({ code: 'overloaded', message: expect.stringContaining('status 503') })
  })
})

describe('withRetries', () => {
  const backoff = { baseMs: 1, maxMs: 2 }
  const failing = (...errors: AppError[]): () => Promise<string> => async () => {
    const error = errors.shift()
    if (error !== undefined) throw error
    return 'done'
  }

  it('goes on while the failure may pass', async () => {
    const seen: string[] = []
    expect(await withRetries(
      failing(down(), problem(503, 'draining'), problem(429, 'rate_limited')),
      { withinMs: 5000, backoff, onRetry: ({ code }) => { seen.push(code) } }
    )).toBe('done')
    expect(seen).toEqual(['source_failed', 'draining', 'rate_limited'])
  })

  it.each([
    problem(404, 'kernel_unknown'), problem(401, 'unauthorized'), problem(422, 'relocation_failed')
  ])('stops at one that stays', async error => {
    await expect(withRetries(failing(error), { withinMs: 5000, backoff })).rejects.toBe(error)
  })

  it('does not wait longer than it may, even when the service asks for it', async () => {
    const error = problem(503, 'overloaded', '60')
    await expect(withRetries(failing(error), { withinMs: 1000, backoff })).rejects.toBe(error)
  })
})

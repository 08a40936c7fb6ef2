import rateLimit from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'
import type { CallerCounts } from '../caller-counts.js'
import { callerOf } from './access.js'

/** Bounds how many requests one caller gets answered, so that one that runs wild leaves room for the others. */
export const rateLimitPlugin = fp<{ counts: CallerCounts | undefined }>(async (app, { counts }) => {
  if (counts === undefined) return
  const { perMinute } = counts
  const headers = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  await app.register(rateLimit, {
    max: perMinute,
    store: class {
      incr (caller: string, told: (error: null, count: { current: number, ttl: number }) => void): void { told(null, counts.count(caller)) }
      child (): this { return this }
    },
    keyGenerator: callerOf,
    allowList: request => request.routeOptions.config.access === 'open',
    addHeaders: { ...headers, 'retry-after': false },
    addHeadersOnExceeding: headers,
    errorResponseBuilder: (request, { ttl }) => new AppError('rate_limited',
      `${request.identity?.name ?? `The address ${request.ip}`} has made ${perMinute} requests within a minute, ` +
      'which is the limit; try again after the time in Retry-After.',
      { limit: perMinute, retry_after: Math.max(1, Math.ceil(ttl / 1000)) })
  })
}, { name: 'corelo-rate-limit', dependencies: ['corelo-access'] })

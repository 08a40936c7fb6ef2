import { monitorEventLoopDelay } from 'node:perf_hooks'
import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'

const SAMPLE_MS = 1000
const RESOLUTION_MS = 10
const NS_PER_MS = 1e6

/**
 * The last resort against overload: where the event loop is late by more than `maxDelayMs` (the mean over a second; 0: never)
 * nothing is answered in time anyway. The service's own admission control acts long before.
 *
 * Not @fastify/under-pressure: its timer asks for the process's memory, which fails and so ends the process where no file can be
 * opened. This one reads a histogram and nothing else.
 */
export const underPressurePlugin = fp<{ maxDelayMs: number }>(async (app, { maxDelayMs }) => {
  if (maxDelayMs === 0) return
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  let delayMs = 0
  const timer = setInterval(() => {
    delayMs = delays.mean / NS_PER_MS - RESOLUTION_MS // NaN without a sample, which is above nothing
    delays.reset()
  }, SAMPLE_MS).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    delays.disable()
  })
  app.addHook('onRequest', (request, _reply, done) => {
    if (delayMs > maxDelayMs && request.routeOptions.config.operational !== true) {
      done(new AppError('overloaded', 'The service is busy; try again after the time in Retry-After.', { retry_after: 1 }))
      return
    }
    done()
  })
}, { name: 'corelo-under-pressure' })

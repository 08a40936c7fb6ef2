import { monitorEventLoopDelay } from 'node:perf_hooks'
import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'

const SAMPLE_MS = 1000
const RESOLUTION_MS = 10
const NS_PER_MS = 1e6

/** How much the event loop has to do. */
export interface Pressure {
  isTooHigh (): boolean
  close (): void
}

/**
 * The last resort against overload: where the event loop is late by more than `maxDelayMs` (the mean over a second; 0: never)
 * nothing is answered in time anyway. The service's own admission control acts long before.
 *
 * Not @fastify/under-pressure: its timer asks for the process's memory, which fails and so ends the process where no file can be
 * opened. This one reads a histogram and nothing else.
 */
export function createPressure (maxDelayMs: number): Pressure {
  if (maxDelayMs === 0) return { isTooHigh: () => false, close () {} }
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  let delayMs = 0
  const timer = setInterval(() => {
    delayMs = delays.mean / NS_PER_MS - RESOLUTION_MS // NaN without a sample, which is above nothing
    delays.reset()
  }, SAMPLE_MS).unref()
  return {
    isTooHigh: () => delayMs > maxDelayMs,
    close () {
      clearInterval(timer)
      delays.disable()
    }
  }
}

export const underPressurePlugin = fp<{ pressure: Pressure }>(async (app, { pressure }) => {
  app.addHook('onClose', async () => { pressure.close() })
  app.addHook('onRequest', (request, _reply, done) => {
    if (pressure.isTooHigh() && request.routeOptions.config.operational !== true) {
      done(new AppError('overloaded', 'The service is busy; try again after the time in Retry-After.', { retry_after: 1 }))
      return
    }
    done()
  })
}, { name: 'corelo-under-pressure' })

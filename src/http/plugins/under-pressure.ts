import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'

/** Mean delay of the event loop over a second. Above it nothing is answered in time anyway. */
const MAX_EVENT_LOOP_DELAY_MS = 1000

/** The last resort against overload. The service's own admission control acts long before. */
export const underPressurePlugin = fp(async app => {
  await app.register(underPressure, {
    maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS,
    retryAfter: 1
  })
}, { name: 'corelo-under-pressure' })

import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'
import type { Service } from '../../service/types.js'
import { isLeaving, type Lifecycle } from '../lifecycle.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly lifecycle: Lifecycle
  }
  interface FastifyContextConfig {
    /** For routes that speak of the process itself: they answer whatever its state. */
    readonly operational?: boolean
  }
}

/** Follows the service's start, and turns work away once the server closes. */
export const lifecyclePlugin = fp<{ service: Service, lifecycle: Lifecycle }>(async (app, { service, lifecycle }) => {
  app.decorate('lifecycle', lifecycle)
  app.addHook('onReady', async () => {
    service.ready().then(
      () => { if (lifecycle.state === 'starting') lifecycle.state = 'ready' },
      (error: unknown) => { app.log.fatal({ err: error }, 'the service cannot start') }
    )
  })
  app.addHook('preClose', async () => { lifecycle.state = 'closing' })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isLeaving(lifecycle)) reply.header('connection', 'close')
    done()
  })
  app.addHook('onRequest', (request, _reply, done) => {
    if (lifecycle.state === 'closing' && request.routeOptions.config.operational !== true) {
      done(new AppError('draining', 'This instance is stopping; send the request again, to another one.'))
      return
    }
    done()
  })
}, { name: 'corelo-lifecycle' })

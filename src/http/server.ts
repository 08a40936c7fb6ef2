import { executionAsyncResource } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { createService } from '../service/service.js'
import { AppError } from '../errors.js'
import { openSigner } from '../relocation/signing.js'
import { errorCode } from '../store/error-code.js'
import { makeFolder } from '../store/folder.js'
import type { Service } from '../service/types.js'
import { buildApp } from './app.js'
import { toServiceSettings, type Config } from './config.js'
import { readSecrets } from '../watch/signature.js'
import { createLogger } from './log.js'
import { startFacts } from './start-facts.js'

/** The most time between the first signal and the end of the listening: for load balancers to notice that readiness is gone. */
const MAX_NOTICE_MS = 5_000
/**
 * Uploads are memory outside of V8's heap, which makes it collect the heap, small and nearly all alive, every few dozen requests.
 * With room to grow between collections a request for a held result costs a third less CPU.
 */
const HEAP_GROWTH = '--heap-growing-percent=300'
/**
 * V8 takes what a request allocates for long-lived, because a collection that comes while thousands of requests are in flight
 * sees much of it alive, and from then on puts it where only a full collection finds it dead. A form costs a quarter less CPU without.
 */
const NO_PRETENURING = '--no-allocation-site-pretenuring'
/**
 * One of the records that process.nextTick makes. V8 forgets their shape where a full collection finds none of them, and from then on
 * makes each the slow way. Node makes half a dozen for a request: one that is kept saves a twentieth of a small answer.
 */
const keptTick: object[] = []
/** The part of the shutdown time that is spent on it, at most. */
const NOTICE_SHARE = 1 / 7
const REAP_INTERVAL_MS = 250

/**
 * Runs the service. Resolves once it listens; the process then lives until a signal.
 *
 * On SIGTERM readiness fails at once, the listener stays open for a notice period, and then what is in flight is finished. On
 * SIGINT there is somebody at a terminal, so that nothing waits for load balancers. A second signal exits at once.
 */
export async function serve (config: Config): Promise<void> {
  setFlagsFromString(HEAP_GROWTH)
  setFlagsFromString(NO_PRETENURING)
  process.nextTick(() => { keptTick[0] = executionAsyncResource() })
  const log = createLogger(config.logLevel)
  await openCacheFolder(config.cacheDir)
  if (config.packages.length > 0) (await import('../packages/read-repositories.js')).readRepositories(config.packages) // as well
  // A setting that is wrong ends the start here, with a sentence; the service opens them for itself.
  const signer = await openSigner(config, () => {})
  if (config.webhookSecretFile !== undefined) await readSecrets(config.webhookSecretFile) // as well
  const service = createService(toServiceSettings(config), { onWarning: (message, facts) => { log.warn(facts, message) } })
  let app: FastifyInstance
  try {
    app = await buildApp(service, config, { log })
    log.info(startFacts(config, await app.listen({ host: config.host, port: config.port }), signer.keyId()), 'started')
  } catch (error) {
    await service.close()
    throw error
  }
  closeWithGrace({
    delay: config.shutdownMs,
    logger: false,
    onTimeout: () => {
      log.error({ shutdown_ms: config.shutdownMs }, 'requests were still in flight at the end of the shutdown time; exiting')
    },
    onSecondSignal: signal => { log.warn({ signal }, 'second signal; exiting at once') },
    onSecondError: error => { log.fatal({ err: error }, 'second failure while stopping; exiting at once') }
  }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal({ err }, 'unexpected failure; stopping')
    else log.info({ signal }, 'stopping')
    await stop(app, service, signal === 'SIGTERM' ? Math.min(MAX_NOTICE_MS, config.shutdownMs * NOTICE_SHARE) : 0)
    log.info('stopped')
  })
  service.ready().catch((error: unknown) => { setImmediate(() => { throw error }) }) // an unexpected failure like any other
}

/** A disk that takes no writes is gone on without. A folder that is not there is a setting that is wrong. */
async function openCacheFolder (path: string): Promise<void> {
  try {
    await makeFolder(path)
  } catch (error) {
    throw new AppError('invalid_request',
      `The cache folder ${path} cannot be made (${errorCode(error) ?? String(error)}); ` +
      'set CORELO_CACHE_DIR to a folder that this user may write to.',
      { setting: 'CORELO_CACHE_DIR' }, { cause: error })
  }
}

async function stop (app: FastifyInstance, service: Service, noticeMs: number): Promise<void> {
  app.lifecycle.state = 'draining'
  await sleep(noticeMs)
  // A connection that becomes idle while the server closes would otherwise be waited for until its keep-alive time is over.
  const reaper = setInterval(() => { app.server.closeIdleConnections() }, REAP_INTERVAL_MS)
  await app.close()
  clearInterval(reaper)
  await service.close()
}

import { createServer } from 'node:http'
import fastify, {
  LogController, type FastifyBaseLogger, type FastifyInstance, type FastifySchema, type FastifySchemaCompiler
} from 'fastify'
import type { Service } from '../service/types.js'
import { createNotFoundHandler } from './allowed-methods.js'
import { createCallerCounts } from './caller-counts.js'
import type { Config } from './config.js'
import { handleClientError, handleError } from './errors.js'
import { createFastPath } from './fast-path.js'
import { createHeldAddresses } from './held-addresses.js'
import type { Lifecycle } from './lifecycle.js'
import { createLogger, type Log } from './log.js'
import { createMetrics } from './metrics.js'
import { openAuthenticator } from './access/open.js'
import { accessPlugin } from './plugins/access.js'
import { connectionsPlugin } from './plugins/connections.js'
import { lifecyclePlugin } from './plugins/lifecycle.js'
import { countRequest, metricsPlugin } from './plugins/metrics.js'
import { protocolPlugin } from './plugins/protocol.js'
import { rateLimitPlugin } from './plugins/rate-limit.js'
import { requestIdOf, requestIdPlugin } from './plugins/request-id.js'
import { requestEndPlugin, type RequestObserver } from './plugins/request-end.js'
import { requestLine } from './plugins/request-log.js'
import { DOCS, swaggerPlugin } from './plugins/swagger.js'
import { createPressure, underPressurePlugin } from './plugins/under-pressure.js'
import { btfRoutes } from './routes/btf.js'
import { checkRoutes } from './routes/check.js'
import type { Dependencies } from './routes/dependencies.js'
import { kernelBtfRoutes } from './routes/kernel-btf.js'
import { kernelRoutes } from './routes/kernels.js'
import { keyRoutes } from './routes/keys.js'
import { minBtfRoutes } from './routes/min-btf.js'
import { objectTypeRoutes } from './routes/object-types.js'
import { objectRoutes } from './routes/objects.js'
import { operationRoutes } from './routes/operations.js'
import { pageRoutes } from './routes/page.js'
import { relocateRoutes } from './routes/relocate.js'
import { relocatedRoutes } from './routes/relocated.js'
import { typeChangeRoutes } from './routes/type-changes.js'
import { typeRoutes } from './routes/types.js'
import { COMPONENTS } from './schemas/components.js'
import { parseQueryString } from './query-string.js'
import { findExampleKernel } from './shown-document.js'
import { createUploadBudget } from './upload.js'
import { AJV_OPTIONS, toInvalidRequest } from './validation.js'

/** A request has to arrive within this time, headers and body. */
const REQUEST_TIMEOUT_MS = 30_000
const HEADERS_TIMEOUT_MS = 5_000
/** How often Node looks for requests that are too slow: what the two times above are rounded up to. */
const TIMEOUT_CHECK_MS = 1_000
/**
 * A connection on which nothing moves at all, in either direction, beyond the time that the work of a request may take; between two
 * requests as well. Longer than load balancers keep theirs, which is a minute.
 */
const CONNECTION_TIMEOUT_MS = 63_000
/** Callers are told a time that much shorter, so that none sends a request just when its connection is closed. */
const KEEP_ALIVE_MARGIN_MS = 1_000
const MAX_HEADER_BYTES = 16_384
/** The longest part of an address is a segment of a reference. */
const MAX_PARAM_LENGTH = 256

/** By the names that fastify knows them by. Without one it looks for each among all modules that are loaded, which takes longer. */
const ROUTES = {
  relocateRoutes,
  relocatedRoutes,
  checkRoutes,
  minBtfRoutes,
  objectRoutes,
  objectTypeRoutes,
  btfRoutes,
  kernelRoutes,
  kernelBtfRoutes,
  typeRoutes,
  typeChangeRoutes,
  keyRoutes,
  operationRoutes,
  pageRoutes
} as const

export interface AppOptions {
  /** Where to log; by default standard output at the configured level. */
  readonly log?: Log
  /** What makes a validator of a schema; by default one of this app, which begins with each schema anew. */
  readonly validatorCompiler?: FastifySchemaCompiler<FastifySchema>
  /** Whether held results go the short way. By default they do; a test compares. */
  readonly hasFastPath?: boolean
}

/** The HTTP application around a service. It does not listen and does not own the service: whoever calls closes both. */
export async function buildApp (
  service: Service,
  config: Config,
  { log = createLogger(config.logLevel), validatorCompiler, hasFastPath = true }: AppOptions = {}
): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = log
  const authenticator = await openAuthenticator(config, (message, facts) => { log.warn(facts, message) })
  const uploads = createUploadBudget(Math.max(config.memoryBytes, config.maxObjectBytes + config.maxBtfBytes))
  const metrics = createMetrics(service, () => uploads.usedBytes)
  const observer: RequestObserver = { onBegin: metrics.countBegin, onEnd: [countRequest(metrics), requestLine(log)] }
  const lifecycle: Lifecycle = { state: 'starting' }
  const pressure = createPressure(config.maxDelayMs)
  const counts = config.rateLimit === 0 ? undefined : createCallerCounts(config.rateLimit)
  const addresses = createHeldAddresses()
  const silenceMs = config.deadlineMs + CONNECTION_TIMEOUT_MS
  const fastPath = hasFastPath
    ? createFastPath({ service, addresses, authenticator, counts, lifecycle, pressure, observer })
    : () => false
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    requestIdHeader: false,
    serverFactory: handle => createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: silenceMs - KEEP_ALIVE_MARGIN_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false // the plugin for the protocol asks for it, and answers as all others do
    }, (request, response) => {
      if (!fastPath(request, response)) handle(request, response)
    }).setTimeout(silenceMs),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, querystringParser: parseQueryString },
    return503OnClosing: false,
    bodyLimit: 1024,
    frameworkErrors: handleError,
    clientErrorHandler: handleClientError,
    pluginTimeout: 0, // a start on a busy machine is slow, and no reason to end
    ajv: { customOptions: { ...AJV_OPTIONS, validateSchema: false } }, // the schemas are ours: tests validate them, and a start need not
    schemaErrorFormatter: toInvalidRequest
  })
  // One logger for all requests: their one line names the request itself. Fastify looks anew at what a factory of ours would give.
  app.log.child = () => app.log
  const dependencies: Dependencies = { service, config, uploads, addresses }

  app.setErrorHandler(handleError)
  app.setNotFoundHandler(createNotFoundHandler(app))
  // Response schemas are documentation, which tests hold answers to. JSON.stringify loses no member that a schema forgot.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  if (validatorCompiler !== undefined) app.setValidatorCompiler(validatorCompiler)
  for (const component of COMPONENTS) app.addSchema(component)

  await app.register(connectionsPlugin)
  await app.register(requestIdPlugin)
  await app.register(metricsPlugin, { metrics })
  await app.register(requestEndPlugin, { observer })
  await app.register(protocolPlugin)
  await app.register(lifecyclePlugin, { service, lifecycle })
  await app.register(accessPlugin, { authenticator, openBelow: DOCS })
  await app.register(rateLimitPlugin, { counts })
  await app.register(underPressurePlugin, { pressure })
  await app.register(swaggerPlugin, { exampleKernel: async () => config.auth === 'none' ? await findExampleKernel(service) : undefined })

  for (const [name, routes] of Object.entries(ROUTES)) {
    await app.register(Object.assign(routes, { [Symbol.for('fastify.display-name')]: name }), dependencies)
  }
  return app
}

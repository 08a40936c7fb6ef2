import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Scope } from '../access/identity.js'
import { responses } from '../schemas/problem.js'
import { leaveOutEmpty, shownDocument } from '../shown-document.js'
import { ENGINE } from '../../relocation/engine.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body, for the OpenAPI document only: bodies are bytes, which no schema checks. */
    readonly requestBody?: Readonly<Record<string, unknown>>
  }
}

const TAGS = [
  { name: 'relocation', description: 'Objects in, relocated objects and reports out.' },
  { name: 'content', description: 'Objects and BTF by their hash.' },
  { name: 'kernels', description: 'Kernels and their BTF.' },
  { name: 'types', description: 'Types of a kernel, as C and as JSON.' },
  { name: 'operations', description: 'The process itself.' }
]

/** Below it is the page that shows the document. */
export const DOCS = '/docs'

const SECURITY = 'Where the operator asks for it (CORELO_AUTH): a token of the service, or a JSON Web Token for its audience.'

/** Everything comes from this host, also where it is served without TLS. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; connect-src 'self'; font-src 'self' data:; img-src 'self' data:; script-src 'self'; " +
  "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface SwaggerOptions {
  /** A kernel that the service can relocate for, where it may tell everybody: what the page fills in. */
  readonly exampleKernel: () => Promise<string | undefined>
}

/** The OpenAPI document, made from the routes' schemas, and a page that shows it. */
export const swaggerPlugin = fp<SwaggerOptions>(async (app, { exampleKernel }) => {
  const examples = new WeakMap<FastifyRequest, string>()
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'corelo',
        version: ENGINE.version,
        description: 'Relocates eBPF CO-RE objects for a kernel, with the result that libbpf would give there, bit for bit.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      tags: TAGS,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: SECURITY } } }
    },
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, i) => typeof $id === 'string' ? $id : `def-${i}` },
    transform: ({ schema, url, route }) => {
      const { requestBody: body, access = 'open' } = route.config ?? {}
      const withBody = body === undefined ? schema : { ...schema, body: { content: body } }
      return { schema: access === 'open' ? withBody : { ...withBody, ...restrictedTo(access, schema?.response) }, url }
    }
  })
  await app.register(swaggerUi, {
    routePrefix: DOCS,
    staticCSP: CONTENT_SECURITY_POLICY,
    theme: { title: 'corelo API' },
    uiHooks: {
      preHandler: (request, _reply, done) => {
        if (request.routeOptions.url !== `${DOCS}/json`) {
          done()
          return
        }
        // The page is there also while nothing else is.
        exampleKernel().then(kernel => { if (kernel !== undefined) examples.set(request, kernel) }).catch(() => {}).finally(done)
      }
    },
    transformSpecification: (document, request) => shownDocument(document, examples.get(request)),
    uiConfig: { docExpansion: 'list', validatorUrl: null, deepLinking: true, requestInterceptor: leaveOutEmpty }
  })
}, { name: 'corelo-swagger' })

/** What a route that asks who calls adds to its answers. */
function restrictedTo (scope: Scope, response: unknown): Record<string, unknown> {
  const { 401: unauthorized, 403: forbidden, 429: rateLimited } = responses({}, 'unauthorized', 'forbidden', 'rate_limited')
  return {
    security: [{ bearer: [scope] }],
    response: { ...response as Record<number, object>, 401: unauthorized, 403: forbidden, 429: rateLimited }
  }
}

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { ENGINE } from '../../service/engine.js'

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
  { name: 'operations', description: 'The process itself.' }
]

/** Everything comes from this host, also where it is served without TLS. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; connect-src 'self'; font-src 'self' data:; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The OpenAPI document, made from the routes' schemas, and a page that shows it. */
export const swaggerPlugin = fp(async app => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'corelo',
        version: ENGINE.version,
        description: 'Relocates eBPF CO-RE objects for a kernel, with the result that libbpf would give there, bit for bit.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      tags: TAGS
    },
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, i) => typeof $id === 'string' ? $id : `def-${i}` },
    transform: ({ schema, url, route }) => {
      const body = route.config?.requestBody
      return { schema: body === undefined ? schema : { ...schema, body: { content: body } }, url }
    }
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    theme: { title: 'corelo API' },
    uiConfig: { docExpansion: 'list', validatorUrl: null, deepLinking: true }
  })
}, { name: 'corelo-swagger' })

import fastify, { type FastifySchema, type FastifySchemaCompiler } from 'fastify'
import { COMPONENTS } from '../../src/http/schemas/components.js'
import { AJV_OPTIONS } from '../../src/http/validation.js'

type Compiler = FastifySchemaCompiler<FastifySchema>

/**
 * Fastify's own compiler of validators, which keeps what it has made for the next app of this thread: to compile the schemas of all routes
 * takes longer than most of what a test asks of them.
 */
export async function sharedValidators (): Promise<Compiler> { return await (shared ??= create()) }

let shared: Promise<Compiler> | undefined

async function create (): Promise<Compiler> {
  const app = fastify({ ajv: { customOptions: AJV_OPTIONS } })
  for (const component of COMPONENTS) app.addSchema(component)
  app.get('/', { schema: { querystring: { type: 'object' } } }, async () => {})
  await app.ready()
  const { validatorCompiler } = app
  if (validatorCompiler === undefined) throw new Error('Fastify has not made a compiler of validators')
  const validators = new Map<string, ReturnType<Compiler>>()
  return route => {
    const text = JSON.stringify(route.schema)
    const validator = validators.get(text) ?? validatorCompiler(route)
    validators.set(text, validator)
    return validator
  }
}

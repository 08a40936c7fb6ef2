import type { FastifySchemaValidationError } from 'fastify'
import { AppError } from '../errors.js'
import { mustOf } from './schemas/fields.js'

/** How requests are validated. */
export const AJV_OPTIONS = { removeAdditional: false, coerceTypes: 'array', useDefaults: true, verbose: true } as const

/** How messages call a value, by where it came from. */
const NOUNS: Readonly<Record<string, string>> = { querystring: 'query parameter', params: 'part of the address', form: 'part' }

/** Types of JSON in plain words, where they are not the same. */
const TYPES: Readonly<Record<string, string>> = { integer: 'a whole number', number: 'a number' }

/** The first error of a schema's validation as one sentence that names the field and says what it must be. */
export function toInvalidRequest (errors: readonly FastifySchemaValidationError[], where: string): AppError {
  const [error] = errors
  const noun = NOUNS[where] ?? 'field'
  if (error === undefined) return new AppError('invalid_request', 'The request is not valid.')
  if (error.keyword === 'additionalProperties') {
    const field = String(error.params['additionalProperty'])
    return new AppError('invalid_request', `There is no ${noun} ${JSON.stringify(field)} here; leave it out.`, { field })
  }
  if (error.keyword === 'required') {
    const field = String(error.params['missingProperty'])
    return new AppError('invalid_request', `The ${noun} ${field} is missing.`, { field })
  }
  const field = error.instancePath.slice(1).split('/', 1)[0] ?? ''
  return new AppError('invalid_request', sentence(error, `The ${noun} ${field}`), { field })
}

function sentence (error: FastifySchemaValidationError, name: string): string {
  const { keyword, params } = error
  const { data } = error as { data?: unknown }
  if (keyword === 'maxItems') return `${name} is given more than ${String(params['limit'])} times.`
  if (Array.isArray(data)) return `${name} is given ${data.length} times; give it once.`
  if (data === '') return `${name} is empty; give it a value, or leave it out.`
  switch (keyword) {
    case 'pattern': return `${name} must be ${mustOf(String(params['pattern'])) ?? 'of another form'}.`
    case 'enum': return `${name} must be ${(params['allowedValues'] as readonly unknown[]).join(' or ')}.`
    case 'type': return `${name} must be ${TYPES[String(params['type'])] ?? String(params['type'])}.`
    case 'minimum': return `${name} must be ${String(params['limit'])} or more.`
    case 'maximum': return `${name} must be ${String(params['limit'])} or less.`
    default: return `${name} ${error.message ?? 'is not valid'}.`
  }
}

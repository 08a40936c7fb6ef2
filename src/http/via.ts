import type { FastifyRequest } from 'fastify'
import { VIA_HEADER } from '../kernels/sources/corelo-upstream.js'

const NAME = /^[A-Za-z0-9-]{1,64}$/
/** More are not looked at: a question goes no further long before. */
const MAX_NAMES = 16

/** Names of the services through which a request came, in their order. None where nobody forwarded it. */
export function viaOf (request: FastifyRequest): readonly string[] {
  const header = request.headers[VIA_HEADER]
  if (typeof header !== 'string') return []
  return header.split(',', MAX_NAMES).map(name => name.trim()).filter(name => NAME.test(name))
}

import type { FastifyReply, FastifyRequest } from 'fastify'
import { negotiate } from './accept.js'
import { isNoneMatchHit, REVALIDATE } from './headers.js'
import { sendBytes, viewOf } from './send-bytes.js'

export const C_TYPE = 'text/x-c'

/** Types as they are sent: as C, or as JSON. */
export interface TypesBody {
  readonly type: string
  readonly body: Buffer
}

/**
 * In which form types are asked for.
 *
 * @throws AppError `not_acceptable`
 */
export function typesFormOf (accept: string | undefined): 'json' | 'c' {
  return negotiate(accept, ['application/json', C_TYPE, 'text/plain']) === 'application/json' ? 'json' : 'c'
}

export function typesAsC (bytes: Uint8Array): TypesBody { return { type: `${C_TYPE}; charset=utf-8`, body: viewOf(bytes) } }

/**
 * An object with `types` between its other members.
 *
 * @param types a JSON list that a worker has made, which is put in as it is
 */
export function typesAsJson (before: object, types: Uint8Array, after: object = {}): TypesBody {
  const end = Object.keys(after).length === 0 ? '}' : `,${JSON.stringify(after).slice(1)}`
  const parts = [Buffer.from(`${JSON.stringify(before).slice(0, -1)},"types":`), viewOf(types), Buffer.from(end)]
  return { type: 'application/json', body: Buffer.concat(parts) }
}

/** Answers with types, or with 304 where the caller has them already. */
export function sendTypes (request: FastifyRequest, reply: FastifyReply, etag: string, { type, body }: TypesBody): FastifyReply {
  reply.headers({ etag, 'cache-control': REVALIDATE })
  if (isNoneMatchHit(request.headers['if-none-match'], etag)) return reply.code(304).send()
  return sendBytes(reply.header('content-type', type), body)
}

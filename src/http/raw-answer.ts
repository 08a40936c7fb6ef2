import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Sha256 } from '../store/sha256.js'
import { DIGEST_OF_NOTHING, digestOf, etagOf, isNoneMatchHit } from './headers.js'
import { sendBytes, viewOf } from './send-bytes.js'

/** Answers with raw BTF, or with 304 where the caller has it already. */
export function sendBtf (
  request: FastifyRequest,
  reply: FastifyReply,
  btf: { readonly bytes: Uint8Array, readonly sha256: Sha256 },
  cacheControl: string
): FastifyReply {
  const etag = etagOf(btf.sha256)
  reply.headers({ etag, 'cache-control': cacheControl, 'content-location': `/btf/${btf.sha256}`, 'corelo-btf': btf.sha256 })
  if (isNoneMatchHit(request.headers['if-none-match'], etag)) return reply.code(304).send()
  const digest = digestOf(btf.sha256)
  return sendBytes(reply.headers({
    'content-type': 'application/octet-stream',
    'content-digest': request.method === 'HEAD' ? DIGEST_OF_NOTHING : digest,
    'repr-digest': digest
  }), viewOf(btf.bytes))
}

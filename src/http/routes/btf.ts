import { AppError } from '../../errors.js'
import type { Sha256 } from '../../store/sha256.js'
import { negotiate } from '../accept.js'
import { DIGEST_OF_NOTHING, digestOf, etagOf, IMMUTABLE, isNoneMatchHit } from '../headers.js'
import { sendBtf } from '../raw-answer.js'
import { binary, HashParams, NOT_MODIFIED } from '../schemas/content.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

export const btfRoutes: Routes = async (app, { service }) => {
  app.head('/btf/:hash', {
    schema: {
      operationId: 'getBtf',
      tags: ['content'],
      summary: 'Whether the service holds a BTF, and its size.',
      params: HashParams,
      querystring: NoQuery,
      response: responses({ 200: { description: 'It does; Content-Length is the size.', type: 'null' }, 304: NOT_MODIFIED },
        'btf_unknown', 'not_acceptable')
    },
    config: { access: 'relocate', swagger: { exposeHeadRoute: true } }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/octet-stream'])
    const hash = request.params.hash as Sha256
    const held = await service.hasBtf(hash)
    if (held === undefined) throw unknownBtf(hash)
    const etag = etagOf(hash)
    reply.headers({ etag, 'cache-control': IMMUTABLE, 'content-location': `/btf/${hash}`, 'corelo-btf': hash })
    if (isNoneMatchHit(request.headers['if-none-match'], etag)) return reply.code(304).send()
    return reply.headers({
      'content-type': 'application/octet-stream',
      'content-length': held.bytes,
      'content-digest': DIGEST_OF_NOTHING,
      'repr-digest': digestOf(hash)
    }).send()
  })

  app.get('/btf/:hash', {
    exposeHeadRoute: false,
    schema: {
      operationId: 'getBtf',
      tags: ['content'],
      summary: 'BTF by content.',
      params: HashParams,
      querystring: NoQuery,
      response: responses({
        200: { description: 'Raw BTF.', content: { 'application/octet-stream': binary } },
        304: NOT_MODIFIED
      }, 'btf_unknown', 'not_acceptable')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/octet-stream'])
    const hash = request.params.hash as Sha256
    return sendBtf(request, reply, { bytes: await service.getBtf(hash), sha256: hash }, IMMUTABLE)
  })
}

function unknownBtf (hash: Sha256): AppError {
  return new AppError('btf_unknown',
    'The service does not hold this BTF; supply it under its kernel with PUT /kernels/…/btf.',
    { btf_sha256: hash })
}

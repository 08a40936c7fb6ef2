import { AppError } from '../../errors.js'
import type { Sha256 } from '../../store/sha256.js'
import { sendJson } from '../json.js'
import { leaveBodiesUnread, readRawBody } from '../raw-body.js'
import { binary, HashParams, json } from '../schemas/content.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

export const objectRoutes: Routes = async (app, { service, config, uploads }) => {
  leaveBodiesUnread(app)

  app.head('/objects/:hash', {
    schema: {
      operationId: 'getObject',
      tags: ['content'],
      summary: 'Whether the service holds an object.',
      params: HashParams,
      querystring: NoQuery,
      response: responses({ 200: { description: 'It does.', type: 'null' } }, 'object_unknown')
    },
    config: { access: 'relocate', swagger: { exposeHeadRoute: true } }
  }, async (request, reply) => {
    const hash = request.params.hash as Sha256
    if (!await service.hasObject(hash)) throw unknownObject(hash)
    return reply.header('corelo-object', hash).send()
  })

  app.put('/objects/:hash', {
    schema: {
      operationId: 'putObject',
      tags: ['content'],
      summary: 'Store an object, so that requests can name it by its hash.',
      params: HashParams,
      querystring: NoQuery,
      response: responses({
        200: { description: 'It was there already.', content: json('StoredObject') },
        201: { description: 'It is stored now.', content: json('StoredObject') }
      }, 'too_large', 'unsupported_media_type', 'object_invalid', 'deadline_exceeded', 'request_timeout', 'rate_limited')
    },
    config: { access: 'relocate', requestBody: { 'application/octet-stream': binary, 'application/x-elf': binary } }
  }, async (request, reply) => {
    const hash = request.params.hash as Sha256
    const lease = uploads.open()
    try {
      const bytes = await readRawBody(request, config.maxObjectBytes, lease)
      const size = bytes.length
      const { created } = await service.putObject(bytes, hash)
      const headers = { location: `/objects/${hash}`, 'corelo-object': hash }
      return sendJson(reply.code(created ? 201 : 200).headers(headers), { sha256: hash, bytes: size })
    } finally {
      lease.close()
    }
  })
}

function unknownObject (hash: Sha256): AppError {
  return new AppError('object_unknown',
    'The service does not hold this object; store it with PUT at this address.',
    { object_sha256: hash })
}

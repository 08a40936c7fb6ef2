import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { PAGE_POLICY, type FormatType } from '../../check/formats/formats.js'
import { AppError } from '../../errors.js'
import { negotiate } from '../accept.js'
import { answerOf } from '../check-answer.js'
import { readCheck } from '../check-request.js'
import { callerOf } from '../plugins/access.js'
import { multipartPlugin } from '../plugins/multipart.js'
import { leaveBodiesUnread } from '../raw-body.js'
import { CheckFields } from '../schemas/check.js'
import { json } from '../schemas/content.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

const TYPES: readonly [FormatType, ...FormatType[]] = [
  'application/json', 'application/x-ndjson', 'application/xml', 'application/sarif+json', 'text/html'
]

const text = (description: string) => ({ schema: Type.String({ description }) })

const answered = {
  200: {
    description: 'The rows as they become known, then a summary, by `Accept`. ' +
      'While there is nothing to send, an empty line is sent every ten seconds, which no form of the answer minds.',
    content: {
      ...json('CheckAnswer'),
      'application/x-ndjson': text(
        'A `CheckRow` (or `CheckGroup`) a line, then a line `{"summary": …, "warnings": […]}`. Empty lines mean nothing.'),
      'application/xml': text('JUnit: a test case a row.'),
      'application/sarif+json': text('SARIF 2.1.0: a result for each failing place.'),
      'text/html': text('A page by itself.')
    }
  }
}

export const checkRoutes: Routes = async (app, { service, uploads }) => {
  leaveBodiesUnread(app)
  await app.register(multipartPlugin)
  const running = new Set<AbortController>()
  // A check may take minutes, which a service that stops does not have.
  app.addHook('preClose', async () => {
    for (const check of running) check.abort(new AppError('draining', 'The service is stopping; ask another replica.', { retry_after: 1 }))
  })

  app.post('/check', {
    schema: {
      operationId: 'check',
      tags: ['relocation'],
      summary: 'Check objects against many kernels.',
      description: 'Says of each object on each kernel whether it loads there, and if not, why.',
      querystring: CheckFields,
      response: responses(answered, 'object_unknown', 'not_acceptable', 'unsupported_media_type', 'too_large', 'object_invalid',
        'deadline_exceeded', 'storage_unreadable', 'request_timeout', 'rate_limited')
    },
    config: { access: 'relocate', requestBody: { 'multipart/form-data': { schema: { $ref: 'CheckForm#' } } } }
  }, async (request, reply) => {
    const type = negotiate(request.headers.accept, TYPES)
    const leaving = new AbortController()
    running.add(leaving)
    reply.raw.once('close', () => {
      running.delete(leaving)
      leaving.abort(new AppError('request_timeout', 'The caller closed the connection before the answer was ready.'))
    })
    const lease = uploads.open()
    try {
      const { request: wanted, isGrouped } = await readCheck(request, lease)
      const check = await service.check({ ...wanted, caller: callerOf(request) }, leaving.signal)
      const { pieces, counter } = answerOf(check, {
        type,
        isGrouped,
        onProblem: error => {
          request.problem = error.code
          if (error.code === 'internal_error') request.log.error({ request_id: request.id, err: error.cause ?? error }, 'check failed')
        }
      })
      request.check = counter
      reply.headers({
        'content-type': type === 'application/sarif+json' || type === 'application/json' ? type : `${type}; charset=utf-8`,
        'cache-control': 'no-store',
        vary: 'accept',
        ...(type === 'text/html' ? { 'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'` } : {})
      })
      return await reply.send(Readable.from(pieces, { objectMode: false, highWaterMark: 64 * 1024 }))
    } finally {
      lease.close()
    }
  })
}

import { formatTypeName, parseTypeName, type TypeName } from '../../c-types/named-types.js'
import { AppError } from '../../errors.js'
import { parseQuery } from '../../identity/reference.js'
import { HISTORY_LIMITS } from '../../kernel-types/limits.js'
import { negotiate } from '../accept.js'
import { withDeadline } from '../deadline.js'
import { etagOf, REVALIDATE } from '../headers.js'
import { sendJson } from '../json.js'
import { callerOf } from '../plugins/access.js'
import { preferredWaitMs } from '../prefer.js'
import { json, NOT_MODIFIED } from '../schemas/content.js'
import { responses } from '../schemas/problem.js'
import { TypeHistoryQuery, TypesDiffQuery } from '../schemas/types.js'
import { sendTypes, typesAsJson } from '../send-types.js'
import type { Routes } from './dependencies.js'

export const typeChangeRoutes: Routes = async (app, { service, config }) => {
  app.get('/types/diff', {
    schema: {
      operationId: 'diffTypes',
      tags: ['types'],
      summary: 'How a type differs between two kernels: what was added, removed, moved, resized, retyped and renamed.',
      querystring: TypesDiffQuery,
      response: responses({ 200: { description: 'The type in both.', content: json('TypesDiff') }, 304: NOT_MODIFIED },
        'not_found', 'kernel_unknown', 'btf_unknown', 'kernel_ambiguous', 'not_acceptable', 'btf_invalid', 'deadline_exceeded',
        'source_failed', 'source_invalid', 'source_timeout', 'storage_unreadable', 'fetching', 'request_timeout')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/json'])
    const { from: before, to: after, type } = request.query
    const wanted = requireType(type)
    const kernels = { from: parseQuery({ kernelRelease: before }), to: parseQuery({ kernelRelease: after }) }
    const { from, to, isSame, bytes, sha256 } = await withDeadline(reply.raw, config.deadlineMs,
      async deadline => await service.diffTypes({ ...kernels, wanted }, deadline),
      { caller: callerOf(request), waitMs: preferredWaitMs(request) })
    const etag = etagOf(sha256, [from, to].map(({ btf_sha256: btf, source }) => `-${btf.slice(-12)}-${source}`).join(''))
    return sendTypes(request, reply, etag, typesAsJson({ type: formatTypeName(wanted), from, to, is_same: isSame }, bytes))
  })

  app.get('/types/history', {
    schema: {
      operationId: 'typeHistory',
      tags: ['types'],
      summary: 'Where a type, or a member of it, was in the kernels that are held, by ranges of releases.',
      description: 'A member is also found where it went: by what the kernel\'s history calls it, within an embedded struct, and by a ' +
        'name that is nearly the same. One BTF is read of all kernels that lay out the type alike. `left_out` counts the kernels of ' +
        'which the answer says nothing, such as those that there was no time to read.',
      querystring: TypeHistoryQuery,
      response: responses({ 200: { description: 'The ranges, from the oldest release to the newest.', content: json('TypeHistory') } },
        'not_found', 'kernel_unknown', 'not_acceptable', 'too_large', 'deadline_exceeded', 'storage_unreadable', 'request_timeout')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/json'])
    const { type, member = null, kernels = '*' } = request.query
    const question = { wanted: requireType(type), member, kernels: [...new Set(kernels.split(','))] }
    const history = await withDeadline(reply.raw, HISTORY_LIMITS.timeMs + config.deadlineMs,
      async ({ signal }) => await service.typeHistory(question, signal))
    return sendJson(reply.header('cache-control', REVALIDATE), history)
  })
}

function requireType (text: string): TypeName {
  const wanted = parseTypeName(text)
  if (wanted === undefined) throw new AppError('invalid_request', 'The query parameter type is no type.', { field: 'type' })
  return wanted
}

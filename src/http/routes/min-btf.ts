import { negotiate } from '../accept.js'
import { withDeadline } from '../deadline.js'
import { digestOf, etagOf, isNoneMatchHit, REVALIDATE } from '../headers.js'
import { readMinimising } from '../min-btf-request.js'
import { callerOf } from '../plugins/access.js'
import { multipartPlugin } from '../plugins/multipart.js'
import { preferredWaitMs } from '../prefer.js'
import { leaveBodiesUnread } from '../raw-body.js'
import { binary, NOT_MODIFIED } from '../schemas/content.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { sendBytes, viewOf } from '../send-bytes.js'
import type { Routes } from './dependencies.js'

export const minBtfRoutes: Routes = async (app, { service, config, uploads }) => {
  leaveBodiesUnread(app)
  await app.register(multipartPlugin)

  app.post('/min-btf', {
    schema: {
      operationId: 'minimiseBtf',
      tags: ['relocation'],
      summary: 'The smallest BTF of a kernel with which objects relocate to the same bytes.',
      description: 'For loaders that take a BTF instead of the running kernel\'s (libbpf: `btf_custom_path`): ' +
        'what `bpftool gen min_core_btf` makes. Modules that are named are part of it.',
      querystring: NoQuery,
      response: responses({
        200: { description: 'Raw BTF.', content: { 'application/octet-stream': binary } },
        304: NOT_MODIFIED
      },
      'object_unknown', 'btf_unknown', 'kernel_unknown', 'kernel_ambiguous', 'not_acceptable', 'unsupported_media_type',
      'too_large', 'object_invalid', 'btf_invalid', 'relocation_failed', 'deadline_exceeded',
      'source_failed', 'source_invalid', 'source_timeout', 'fetching', 'request_timeout', 'rate_limited')
    },
    config: { access: 'relocate', requestBody: { 'multipart/form-data': { schema: { $ref: 'MinBtfForm#' } } } }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/octet-stream'])
    const lease = uploads.open()
    try {
      const wanted = await readMinimising(request, config, lease)
      const { bytes, sha256, btfSha256, kernel } = await withDeadline(reply.raw, config.deadlineMs,
        async deadline => await service.minimiseBtf(wanted, deadline),
        { caller: callerOf(request), lease, waitMs: preferredWaitMs(request) })
      const etag = etagOf(sha256)
      reply.headers({ etag, 'cache-control': REVALIDATE, 'corelo-btf': btfSha256, ...(kernel === null ? {} : { 'corelo-kernel': kernel }) })
      if (isNoneMatchHit(request.headers['if-none-match'], etag)) return await reply.code(304).send()
      const digest = digestOf(sha256)
      return sendBytes(reply.headers({
        'content-type': 'application/octet-stream', 'content-digest': digest, 'repr-digest': digest
      }), viewOf(bytes))
    } finally {
      lease.close()
    }
  })
}

import { withDeadline } from '../deadline.js'
import { REVALIDATE } from '../headers.js'
import { preferredWaitMs } from '../prefer.js'
import { callerOf } from '../plugins/access.js'
import { multipartPlugin } from '../plugins/multipart.js'
import { leaveBodiesUnread } from '../raw-body.js'
import { chooseRepresentation, needsReport, sendAnswer } from '../relocate-answer.js'
import { readRelocation } from '../relocate-request.js'
import { binary } from '../schemas/content.js'
import { responses } from '../schemas/problem.js'
import { RelocateFields } from '../schemas/relocate.js'
import { answered } from '../schemas/answer.js'
import type { Routes } from './dependencies.js'

export const relocateRoutes: Routes = async (app, { service, config, uploads }) => {
  leaveBodiesUnread(app)
  await app.register(multipartPlugin)

  app.post('/relocate', {
    schema: {
      operationId: 'relocate',
      tags: ['relocation'],
      summary: 'Relocate an object for a kernel.',
      description: 'The object comes as a part of a form, or as the raw body with the other fields as query parameters.',
      querystring: RelocateFields,
      response: responses(answered('The relocated object, its report, or both, by `Accept`.'),
        'object_unknown', 'btf_unknown', 'kernel_unknown', 'kernel_ambiguous', 'not_acceptable', 'unsupported_media_type',
        'too_large', 'object_invalid', 'btf_invalid', 'relocation_failed', 'unresolved_reachable', 'deadline_exceeded',
        'source_failed', 'source_invalid', 'source_timeout', 'fetching', 'request_timeout', 'rate_limited')
    },
    config: {
      access: 'relocate',
      requestBody: {
        'multipart/form-data': { schema: { $ref: 'RelocateForm#' } },
        'application/x-elf': binary,
        'application/octet-stream': binary
      }
    }
  }, async (request, reply) => {
    const representation = chooseRepresentation(request.headers.accept)
    const lease = uploads.open()
    try {
      const wanted = await readRelocation(request, config, lease, needsReport(representation))
      const relocating = withDeadline(reply.raw, config.deadlineMs,
        deadline => service.relocate(wanted, deadline),
        { caller: callerOf(request), lease, waitMs: preferredWaitMs(request) })
      const answer = relocating instanceof Promise ? await relocating : relocating
      request.answer = answer
      return sendAnswer(request, reply, answer, representation, REVALIDATE)
    } finally {
      lease.close()
    }
  })
}

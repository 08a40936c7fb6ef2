import type { Sha256 } from '../../store/sha256.js'
import { withDeadline } from '../deadline.js'
import { IMMUTABLE } from '../headers.js'
import { chooseRepresentation, needsReport, sendAnswer } from '../relocate-answer.js'
import { toList } from '../relocate-request.js'
import { answered } from '../schemas/answer.js'
import { responses } from '../schemas/problem.js'
import { RelocatedParams, RelocatedQuery } from '../schemas/relocate.js'
import type { Routes } from './dependencies.js'

export const relocatedRoutes: Routes = async (app, { service, config }) => {
  app.get('/relocated/:object/:btf', {
    schema: {
      operationId: 'getRelocated',
      tags: ['relocation'],
      summary: 'The relocation of an object for a BTF, both named by hash.',
      description: 'Never changes, so that any HTTP cache may keep it. HEAD answers with the same headers.',
      params: RelocatedParams,
      querystring: RelocatedQuery,
      response: responses(answered('The relocated object, its report, or both, by `Accept`.'),
        'object_unknown', 'btf_unknown', 'not_acceptable', 'object_invalid', 'btf_invalid', 'relocation_failed', 'deadline_exceeded', 'rate_limited')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    const representation = chooseRepresentation(request)
    const { params, query } = request
    const modules = query.modules === undefined ? undefined : toList('modules', query.modules) as Sha256[]
    const relocating = withDeadline(reply.raw, config.deadlineMs, deadline => service.relocate({
      objectSha256: params.object as Sha256,
      btfSha256: params.btf as Sha256,
      moduleSha256s: modules,
      onUnresolved: 'poison',
      places: query.places,
      wantsReport: needsReport(representation)
    }, deadline))
    const answer = relocating instanceof Promise ? await relocating : relocating
    request.answer = answer
    return sendAnswer(request, reply, answer, representation, IMMUTABLE)
  })
}

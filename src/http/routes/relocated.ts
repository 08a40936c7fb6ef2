import type { Sha256 } from '../../store/sha256.js'
import { withDeadline } from '../deadline.js'
import { AppError } from '../../errors.js'
import { ENGINE } from '../../relocation/engine.js'
import { FIVE_MINUTES, IMMUTABLE } from '../headers.js'
import { moduleListOf } from '../module-lists.js'
import { chooseRepresentation, needsReport, sendAnswer } from '../relocate-answer.js'
import { toList } from '../kernel-parts.js'
import { answered } from '../schemas/answer.js'
import { responses } from '../schemas/problem.js'
import { RelocatedParams, RelocatedQuery } from '../schemas/relocate.js'
import type { HeldQuestion, RelocateAnswer } from '../../relocation/types.js'
import type { Routes } from './dependencies.js'

const ROUTE = '/relocated/:object/:btf'
const ACCESS = 'relocate'

export const relocatedRoutes: Routes = async (app, { service, config, addresses }) => {
  app.get(ROUTE, {
    schema: {
      operationId: 'getRelocated',
      tags: ['relocation'],
      summary: 'The relocation of an object for a BTF, both named by hash.',
      description: 'With `engine`, as Content-Location has it, it never changes, and any HTTP cache may keep it. ' +
        'Without, the current engine answers, and caches keep it for five minutes. HEAD answers with the same headers.',
      params: RelocatedParams,
      querystring: RelocatedQuery,
      response: responses(answered('The relocated object, its report, or both, by `Accept`.'),
        'object_unknown', 'btf_unknown', 'not_found', 'not_acceptable', 'object_invalid', 'btf_invalid', 'relocation_failed',
        'deadline_exceeded', 'rate_limited')
    },
    config: { access: ACCESS }
  }, (request, reply) => {
    const representation = chooseRepresentation(request.headers.accept)
    const { params, query } = request
    if (query.engine !== undefined && query.engine !== ENGINE.version) {
      throw new AppError('not_found',
        `This service relocates with version ${ENGINE.version} of the engine, not ${query.engine}; ` +
        'leave engine out to take what it gives.',
        { engine: ENGINE.version })
    }
    const modules = modulesOf(query)
    const question: HeldQuestion = { objectSha256: params.object as Sha256, btfSha256: params.btf as Sha256, moduleSha256s: modules }
    const relocating = withDeadline(reply.raw, config.deadlineMs, deadline => service.relocate({
      ...question,
      onUnresolved: 'poison',
      places: query.places,
      wantsReport: needsReport(representation)
    }, deadline))
    const cacheControl = query.engine === undefined ? FIVE_MINUTES : IMMUTABLE
    const send = (answer: RelocateAnswer): void => {
      request.answer = answer
      // Not lists of modules by their digest: whether one is remembered is asked each time.
      if (answer.cached && query.module_list === undefined) {
        addresses.note(request.url, { route: ROUTE, access: ACCESS, question, cacheControl })
      }
      sendAnswer(request, reply, answer, representation, cacheControl)
    }
    // A held result is sent at once: to wait for what is there costs as much as to find it.
    return relocating instanceof Promise ? relocating.then(send) : send(relocating)
  })
}

function modulesOf ({ modules, module_list: list }: RelocatedQuery): readonly Sha256[] | undefined {
  if (list === undefined) return modules === undefined ? undefined : toList('modules', modules) as Sha256[]
  if (modules !== undefined) {
    throw new AppError('invalid_request', 'The address has modules and module_list; give one of them.', { field: 'module_list' })
  }
  return moduleListOf(list as Sha256)
}

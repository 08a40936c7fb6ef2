import { negotiate } from '../accept.js'
import { callerOf } from '../plugins/access.js'
import { isInBackground, preferredWaitMs } from '../prefer.js'
import { withDeadline } from '../deadline.js'
import { REVALIDATE } from '../headers.js'
import { sendJson } from '../json.js'
import { toKernelJson } from '../../kernels/kernel-json.js'
import { nextPageUrl, toBuild, toKernelFilter, toKernelReference } from '../kernel-query.js'
import { json } from '../schemas/content.js'
import { BuildParams, KernelListQuery, KernelParams } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { viaOf } from '../via.js'
import type { Routes } from './dependencies.js'

export const kernelRoutes: Routes = async (app, { service, config }) => {
  app.get('/kernels', {
    schema: {
      operationId: 'listKernels',
      tags: ['kernels'],
      summary: 'The kernels whose BTF the service has, and those that its sources are known to have.',
      querystring: KernelListQuery,
      response: responses({ 200: { description: 'One page of them; a `Link` header names the next.', content: json('KernelPage') } },
        'kernel_ambiguous', 'not_acceptable', 'storage_unreadable')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/json'])
    const { kernels, nextCursor } = await service.listKernels(toKernelFilter(request.query))
    if (nextCursor !== null) reply.header('link', `<${nextPageUrl(request.url, nextCursor)}>; rel="next"`)
    return sendJson(reply.header('cache-control', REVALIDATE), { kernels: kernels.map(toKernelJson), next_cursor: nextCursor })
  })

  app.get('/kernels/:distro/:version/:arch/:release', {
    schema: {
      operationId: 'getKernel',
      tags: ['kernels'],
      summary: 'One kernel: its BTF, where that came from, and when.',
      params: KernelParams,
      querystring: BuildParams,
      response: responses({ 200: { description: 'The kernel.', content: json('Kernel') } },
        'kernel_unknown', 'kernel_ambiguous', 'not_acceptable', 'deadline_exceeded',
        'source_failed', 'source_invalid', 'source_timeout', 'storage_unreadable', 'fetching')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/json'])
    const reference = toKernelReference(request.params)
    const waitMs = preferredWaitMs(request)
    const asking = { via: viaOf(request), caller: callerOf(request), isAhead: isInBackground(request) }
    const entry = await withDeadline(reply.raw, config.deadlineMs,
      () => service.getKernel(reference, { ...asking, waitMs, ...toBuild(request.query) }), { waitMs })
    return sendJson(reply.headers({ 'cache-control': REVALIDATE, 'corelo-btf': entry.btfSha256 }), toKernelJson(entry))
  })
}

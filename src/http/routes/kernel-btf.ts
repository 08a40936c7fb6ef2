import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatReference, requireMaker } from '../../identity/reference.js'
import { SOURCE_HEADER } from '../../kernels/sources/corelo-upstream.js'
import type { KernelEntry } from '../../kernels/types.js'
import { negotiate } from '../accept.js'
import { callerOf } from '../plugins/access.js'
import { preferredWaitMs } from '../prefer.js'
import { withDeadline } from '../deadline.js'
import { REVALIDATE } from '../headers.js'
import { sendJson } from '../json.js'
import { toKernelJson } from '../kernel-json.js'
import { toKernelReference } from '../kernel-query.js'
import { sendBtf } from '../raw-answer.js'
import { leaveBodiesUnread, readRawBody } from '../raw-body.js'
import { binary, json, NOT_MODIFIED } from '../schemas/content.js'
import { KernelParams, ModuleParams, NoQuery, PutBtfQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { viaOf } from '../via.js'
import type { Routes } from './dependencies.js'

const BTF = '/kernels/:distro/:version/:arch/:release/btf'
const MODULE_BTF = `${BTF}/:module`

const requestBody = { 'application/octet-stream': binary, 'application/x-elf': binary, 'application/x-xz': binary }
const got = responses({
  200: { description: 'Raw BTF.', content: { 'application/octet-stream': binary } },
  304: NOT_MODIFIED
}, 'kernel_unknown', 'btf_unknown', 'not_acceptable', 'deadline_exceeded', 'source_failed', 'source_invalid', 'source_timeout', 'fetching')
const stored = responses({
  200: { description: 'The same bytes were there already.', content: json('Kernel') },
  201: { description: 'It is stored now.', content: json('Kernel') }
}, 'kernel_unknown', 'btf_conflict', 'too_large', 'unsupported_media_type', 'btf_invalid', 'deadline_exceeded', 'request_timeout', 'rate_limited')

/** `application/x-xz` for archives; what it is shows in the bytes, whatever the type says. */
const BTF_TYPES = Object.keys(requestBody)

type Params = Parameters<typeof toKernelReference>[0] & { readonly module?: string }

export const kernelBtfRoutes: Routes = async (app, { service, config, uploads }) => {
  leaveBodiesUnread(app)

  const get = async (request: FastifyRequest, reply: FastifyReply, { module, ...params }: Params): Promise<FastifyReply> => {
    negotiate(request.headers.accept, ['application/octet-stream'])
    const reference = toKernelReference(params)
    const waitMs = preferredWaitMs(request)
    const btf = await withDeadline(reply.raw, config.deadlineMs, () => service.getKernelBtf(reference, module, viaOf(request), callerOf(request), waitMs), { waitMs })
    return sendBtf(request, reply.header(SOURCE_HEADER, btf.source), btf, REVALIDATE)
  }

  const put = async (request: FastifyRequest, reply: FastifyReply, { module, ...params }: Params, kernelVersion: string | undefined): Promise<FastifyReply> => {
    const reference = toKernelReference(params)
    if (kernelVersion !== undefined) requireMaker(reference, kernelVersion)
    const lease = uploads.open()
    try {
      const bytes = await readRawBody(request, config.maxBtfBytes, lease, BTF_TYPES)
      const provenance = { by: request.identity?.name ?? request.ip, at: new Date().toISOString(), ...(kernelVersion === undefined ? {} : { kernelVersion }) }
      const { created, entry } = await withDeadline(reply.raw, config.deadlineMs, () => service.putKernelBtf(reference, bytes, provenance, module), { lease })
      reply.code(created ? 201 : 200).headers({
        location: `/kernels/${formatReference(reference)}/btf${module === undefined ? '' : `/${module}`}`,
        'corelo-btf': btfOf(entry, module)
      })
      return sendJson(reply, toKernelJson(entry))
    } finally {
      lease.close()
    }
  }

  app.get(BTF, {
    schema: {
      operationId: 'getKernelBtf',
      tags: ['kernels'],
      summary: 'The raw BTF of a kernel.',
      params: KernelParams,
      querystring: NoQuery,
      response: got
    },
    config: { access: 'relocate' }
  }, async (request, reply) => await get(request, reply, request.params))

  app.get(MODULE_BTF, {
    schema: {
      operationId: 'getModuleBtf',
      tags: ['kernels'],
      summary: "The split BTF of one of a kernel's modules.",
      params: ModuleParams,
      querystring: NoQuery,
      response: got
    },
    config: { access: 'relocate' }
  }, async (request, reply) => await get(request, reply, request.params))

  app.put(BTF, {
    schema: {
      operationId: 'putKernelBtf',
      tags: ['kernels'],
      summary: 'Supply the BTF of a kernel: raw, ELF with `.BTF`, or a `.tar.xz` as BTFHub packs it.',
      params: KernelParams,
      querystring: PutBtfQuery,
      response: stored
    },
    config: { access: 'upload', requestBody }
  }, async (request, reply) => await put(request, reply, request.params, request.query.kernel_version))

  app.put(MODULE_BTF, {
    schema: {
      operationId: 'putModuleBtf',
      tags: ['kernels'],
      summary: "Supply the split BTF of one of a kernel's modules.",
      params: ModuleParams,
      querystring: NoQuery,
      response: stored
    },
    config: { access: 'upload', requestBody }
  }, async (request, reply) => await put(request, reply, request.params, undefined))
}

function btfOf (entry: KernelEntry, module: string | undefined): string {
  return module === undefined ? entry.btfSha256 : entry.modules.find(({ name }) => name === module)?.btfSha256 ?? entry.btfSha256
}

import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../../errors.js'
import { formatReference, requireMaker } from '../../identity/reference.js'
import { BASE_HEADER, BUILD_ID_HEADER, KERNEL_VERSION_HEADER, SOURCE_HEADER } from '../../kernels/sources/corelo-upstream.js'
import type { NamedBtf } from '../../kernels/kernels.js'
import { isSha256, type Sha256 } from '../../store/sha256.js'
import { negotiate } from '../accept.js'
import { callerOf } from '../plugins/access.js'
import { isInBackground, preferredWaitMs } from '../prefer.js'
import { withDeadline } from '../deadline.js'
import { REVALIDATE } from '../headers.js'
import { sendJson } from '../json.js'
import { toKernelJson } from '../../kernels/kernel-json.js'
import { toBuild, toKernelReference, type BuildQuery } from '../kernel-query.js'
import { sendBtf } from '../raw-answer.js'
import { leaveBodiesUnread, readRawBody } from '../raw-body.js'
import { binary, json, NOT_MODIFIED } from '../schemas/content.js'
import { BuildParams, KernelParams, ModuleParams, PutBtfQuery, PutModuleQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { viaOf } from '../via.js'
import type { Routes } from './dependencies.js'

const BTF = '/kernels/:distro/:version/:arch/:release/btf'
const MODULE_BTF = `${BTF}/:module`

const requestBody = { 'application/octet-stream': binary, 'application/x-elf': binary, 'application/x-xz': binary }
const got = responses(
  {
    200: { description: 'Raw BTF.', content: { 'application/octet-stream': binary } },
    304: NOT_MODIFIED
  },
  'kernel_unknown', 'btf_unknown', 'kernel_ambiguous', 'not_acceptable', 'deadline_exceeded',
  'source_failed', 'source_invalid', 'source_timeout', 'storage_unreadable', 'fetching'
)
const stored = responses(
  {
    200: { description: 'The same bytes were there already.', content: json('Kernel') },
    201: { description: 'It is stored now.', content: json('Kernel') }
  },
  'kernel_unknown', 'btf_unknown', 'kernel_ambiguous', 'btf_conflict', 'too_large', 'unsupported_media_type',
  'btf_invalid', 'deadline_exceeded', 'request_timeout', 'rate_limited', 'storage_unreadable'
)

/** `application/x-xz` for archives; what it is shows in the bytes, whatever the type says. */
const BTF_TYPES = Object.keys(requestBody)

type Params = Parameters<typeof toKernelReference>[0] & { readonly module?: string }

export const kernelBtfRoutes: Routes = async (app, { service, config, uploads }) => {
  leaveBodiesUnread(app)

  const get = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { module, ...params }: Params,
    build: BuildQuery
  ): Promise<FastifyReply> => {
    negotiate(request.headers.accept, ['application/octet-stream'])
    const reference = toKernelReference(params)
    const waitMs = preferredWaitMs(request)
    const asking = { via: viaOf(request), caller: callerOf(request), isAhead: isInBackground(request) }
    const btf = await withDeadline(reply.raw, config.deadlineMs,
      () => service.getKernelBtf(reference, module, { ...asking, waitMs, ...toBuild(build) }), { waitMs })
    return sendBtf(request, reply.headers(factsOf(btf)), btf, REVALIDATE)
  }

  const put = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { module, ...params }: Params,
    query: BuildQuery & { readonly btf_sha256?: string | undefined }
  ): Promise<FastifyReply> => {
    const reference = toKernelReference(params)
    if (query.kernel_version !== undefined) requireMaker(reference, query.kernel_version)
    const lease = uploads.open()
    try {
      const bytes = await readRawBody(request, config.maxBtfBytes, lease, { types: BTF_TYPES, isKept: true })
      const { kernelVersion, buildId } = toBuild(query)
      const facts = {
        ...(buildId === undefined ? {} : { buildId }),
        ...(query.btf_sha256 === undefined ? {} : { extends: requireSha256(query.btf_sha256) })
      }
      const provenance = {
        by: request.identity?.name ?? request.ip,
        at: new Date().toISOString(),
        ...(kernelVersion === undefined ? {} : { kernelVersion })
      }
      const { created, entry, btfSha256 } = await withDeadline(reply.raw, config.deadlineMs,
        () => service.putKernelBtf(reference, bytes, provenance, module, facts), { lease })
      reply.code(created ? 201 : 200).headers({
        location: `/kernels/${formatReference(reference)}/btf${module === undefined ? '' : `/${module}`}`,
        'corelo-btf': btfSha256
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
      querystring: BuildParams,
      response: got
    },
    config: { access: 'relocate' }
  }, async (request, reply) => await get(request, reply, request.params, request.query))

  app.get(MODULE_BTF, {
    schema: {
      operationId: 'getModuleBtf',
      tags: ['kernels'],
      summary: "The split BTF of one of a kernel's modules.",
      params: ModuleParams,
      querystring: BuildParams,
      response: got
    },
    config: { access: 'relocate' }
  }, async (request, reply) => await get(request, reply, request.params, request.query))

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
  }, async (request, reply) => await put(request, reply, request.params, request.query))

  app.put(MODULE_BTF, {
    schema: {
      operationId: 'putModuleBtf',
      tags: ['kernels'],
      summary: "Supply the split BTF of one of a kernel's modules.",
      params: ModuleParams,
      querystring: PutModuleQuery,
      response: stored
    },
    config: { access: 'upload', requestBody }
  }, async (request, reply) => await put(request, reply, request.params, request.query))
}

/** Where BTF came from and which build it is, and of a module the vmlinux BTF that it extends: what another service has to know. */
function factsOf ({ source, base, kernelVersion, buildId }: NamedBtf): Record<string, string> {
  return {
    [SOURCE_HEADER]: source,
    ...(base === undefined ? {} : { [BASE_HEADER]: base }),
    ...(kernelVersion === undefined ? {} : { [KERNEL_VERSION_HEADER]: kernelVersion }),
    ...(buildId === undefined ? {} : { [BUILD_ID_HEADER]: buildId })
  }
}

function requireSha256 (text: string): Sha256 {
  if (!isSha256(text)) {
    throw new AppError('invalid_request', 'btf_sha256 must be sha256: and 64 lower-case hex digits.', { field: 'btf_sha256' })
  }
  return text
}

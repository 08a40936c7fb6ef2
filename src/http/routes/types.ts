import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatReference, type KernelReference } from '../../identity/reference.js'
import type { KernelTypes } from '../../kernel-types/kernel-types.js'
import { SOURCE_HEADER } from '../../kernels/sources/corelo-upstream.js'
import type { KernelQuestion } from '../../kernels/kernels.js'
import { negotiate } from '../accept.js'
import { withDeadline } from '../deadline.js'
import { etagOf } from '../headers.js'
import { nextPageUrl, toBuild, toKernelReference, type BuildQuery } from '../kernel-query.js'
import { callerOf } from '../plugins/access.js'
import { preferredWaitMs } from '../prefer.js'
import { json, NOT_MODIFIED, text } from '../schemas/content.js'
import { BuildParams, KernelParams, TypeParams } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { DEFAULT_TYPES, TypeSearchQuery } from '../schemas/types.js'
import { C_TYPE, sendTypes, typesAsC, typesAsJson, typesFormOf, type TypesBody } from '../send-types.js'
import { formatTypeCursor, parseTypeCursor } from '../type-cursor.js'
import { viaOf } from '../via.js'
import type { Routes } from './dependencies.js'

const KERNEL = '/kernels/:distro/:version/:arch/:release'

const failures = [
  'kernel_unknown', 'btf_unknown', 'kernel_ambiguous', 'not_acceptable', 'btf_invalid', 'deadline_exceeded',
  'source_failed', 'source_invalid', 'source_timeout', 'storage_unreadable', 'fetching'
] as const

export const typeRoutes: Routes = async (app, { service, config }) => {
  const ask = async <T>(
    request: FastifyRequest,
    reply: FastifyReply,
    work: (reference: KernelReference, question: KernelQuestion) => Promise<T>
  ): Promise<T> => {
    const waitMs = preferredWaitMs(request)
    const asking = { via: viaOf(request), caller: callerOf(request), waitMs, ...toBuild(request.query as BuildQuery) }
    const reference = toKernelReference(request.params as Parameters<typeof toKernelReference>[0])
    return await withDeadline(reply.raw, config.deadlineMs, async () => await work(reference, asking), { waitMs })
  }

  const send = (
    request: FastifyRequest, reply: FastifyReply, { sha256, btfSha256, source }: KernelTypes, body: TypesBody
  ): FastifyReply => {
    reply.headers({ vary: 'accept', 'corelo-btf': btfSha256, [SOURCE_HEADER]: source })
    return sendTypes(request, reply, etagOf(sha256, `-${source}`), body)
  }

  app.get(`${KERNEL}/vmlinux.h`, {
    schema: {
      operationId: 'getKernelHeader',
      tags: ['types'],
      summary: 'All types of a kernel as a C header: what `bpftool btf dump format c` prints.',
      params: KernelParams,
      querystring: BuildParams,
      response: responses({ 200: { description: 'The header.', content: { [C_TYPE]: text } }, 304: NOT_MODIFIED }, ...failures)
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, [C_TYPE, 'text/plain'])
    const types = await ask(request, reply,
      async (reference, question) => await service.writeTypes(reference, { form: 'header' }, question))
    return send(request, reply, types, typesAsC(types.bytes))
  })

  app.get(`${KERNEL}/types/:kind/:name`, {
    schema: {
      operationId: 'getKernelType',
      tags: ['types'],
      summary: 'One type of a kernel: its members and their places.',
      params: TypeParams,
      querystring: BuildParams,
      response: responses({
        200: { description: 'The type, or all of that name.', content: { ...json('KernelTypes'), [C_TYPE]: text } },
        304: NOT_MODIFIED
      }, 'not_found', ...failures)
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    const form = typesFormOf(request.headers.accept)
    const { kind, name } = request.params
    const types = await ask(request, reply,
      async (reference, question) => await service.writeTypes(reference, { form, kind, name }, question))
    const head = headOf(toKernelReference(request.params), types)
    return send(request, reply, types, form === 'c' ? typesAsC(types.bytes) : typesAsJson(head, types.bytes))
  })

  app.get(`${KERNEL}/types`, {
    schema: {
      operationId: 'searchKernelTypes',
      tags: ['types'],
      summary: 'Types of a kernel by the beginning of their names, and by a member.',
      params: KernelParams,
      querystring: TypeSearchQuery,
      response: responses({
        200: { description: 'One page of them, in the order of their names; a `Link` header names the next.', content: json('TypeSearch') },
        304: NOT_MODIFIED
      }, ...failures)
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    negotiate(request.headers.accept, ['application/json'])
    const { name: prefix = '', member, kind, limit = DEFAULT_TYPES, cursor } = request.query
    const after = cursor === undefined ? undefined : parseTypeCursor(cursor)
    const types = await ask(request, reply,
      async (reference, question) => await service.searchTypes(reference, { prefix, member, kind, after, limit }, question))
    const next = types.next === null ? null : formatTypeCursor(types.next)
    if (next !== null) reply.header('link', `<${nextPageUrl(request.url, next)}>; rel="next"`)
    return send(request, reply, types, typesAsJson(headOf(toKernelReference(request.params), types), types.bytes, { next_cursor: next }))
  })
}

/** What an answer says before the types. */
function headOf (reference: KernelReference, { btfSha256, source }: KernelTypes): object {
  return { kernel: formatReference(reference), btf_sha256: btfSha256, source }
}

import { Type } from 'typebox'
import type { Sha256 } from '../../store/sha256.js'
import { withDeadline } from '../deadline.js'
import { etagOf } from '../headers.js'
import { HashParams, json, NOT_MODIFIED, text } from '../schemas/content.js'
import { NoQuery, TypeParams } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import { C_TYPE, sendTypes, typesAsC, typesAsJson, typesFormOf } from '../send-types.js'
import type { Routes } from './dependencies.js'

const ObjectTypeParams = Type.Object({ ...HashParams.properties, kind: TypeParams.properties.kind, name: TypeParams.properties.name })

export const objectTypeRoutes: Routes = async (app, { service, config }) => {
  app.get('/objects/:hash/types/:kind/:name', {
    schema: {
      operationId: 'getObjectType',
      tags: ['types'],
      summary: 'One type as a program was compiled with it: its members and their places.',
      description: 'Flavours have names of their own here: `task_struct___new`.',
      params: ObjectTypeParams,
      querystring: NoQuery,
      response: responses({
        200: { description: 'The type, or all of that name.', content: { ...json('ObjectTypes'), [C_TYPE]: text } },
        304: NOT_MODIFIED
      }, 'object_unknown', 'not_found', 'not_acceptable', 'object_invalid', 'btf_invalid', 'deadline_exceeded', 'storage_unreadable')
    },
    config: { access: 'relocate' }
  }, async (request, reply) => {
    const form = typesFormOf(request.headers.accept)
    const { kind, name } = request.params
    const hash = request.params.hash as Sha256
    const { bytes, sha256 } = await withDeadline(reply.raw, config.deadlineMs,
      async () => await service.writeObjectTypes(hash, { form, kind, name }))
    reply.headers({ vary: 'accept', 'corelo-object': hash })
    return sendTypes(request, reply, etagOf(sha256), form === 'c' ? typesAsC(bytes) : typesAsJson({ object: hash }, bytes))
  })
}

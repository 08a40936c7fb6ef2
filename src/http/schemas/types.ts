import { Type } from 'typebox'
import { sha256 } from './fields.js'

const nullable = <T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer>>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

export const Member = Type.Object({
  name: nullable(Type.String(), 'Null where it has none: its own members count as those of what it is in.'),
  type: Type.String({ description: 'As C writes it.', examples: ['struct list_head *'] }),
  bit_offset: Type.Integer({ description: 'From the start of the type that was asked for, in bits.' }),
  bitfield_size: nullable(Type.Integer(), 'In bits; null for what is no bitfield.'),
  size: nullable(Type.Integer(), 'In bytes; null where it has none.'),
  members: Type.Optional(Type.Array(Type.Unsafe<unknown>({ $ref: 'Member#' }), { description: 'Of a struct or union without a name.' }))
}, { $id: 'Member' })

const definition = Type.Object({
  type_id: Type.Integer({ description: 'In the BTF that has it.' }),
  kind: Type.String({ examples: ['struct'] }),
  name: Type.String({ examples: ['task_struct'] }),
  size: nullable(Type.Integer(), 'In bytes; null where it has none.'),
  members: Type.Optional(Type.Array(Type.Ref('Member'))),
  enumerators: Type.Optional(Type.Array(Type.Object({
    name: Type.String(),
    value: Type.String({ description: 'A decimal number of up to 64 bits.' })
  }))),
  type: Type.Optional(Type.String({ description: 'Of a typedef: what it stands for, as C writes it.' }))
})

export const KernelTypes = Type.Object({
  kernel: Type.String({ examples: ['ubuntu/20.04/x86_64/5.4.0-42-generic'] }),
  btf_sha256: sha256('The BTF that they are from.'),
  source: Type.String({ description: 'Where that came from.', examples: ['local', 'upload', 'btfhub', 'directory', 'upstream'] }),
  types: Type.Array(definition, { description: 'A kernel may have several of one name that differ.' })
}, { $id: 'KernelTypes', description: 'The types of one kind and name in a kernel.' })

export const ObjectTypes = Type.Object({
  object: sha256('The object that they are from.'),
  types: Type.Array(definition, { description: 'A program may have several of one name that differ.' })
}, { $id: 'ObjectTypes', description: 'The types of one kind and name in an object.' })

import { Type, type Static } from 'typebox'
import type {
  FoundType as FoundTypeJson, HistoryRange as HistoryRangeJson, MemberDifference as MemberDifferenceJson,
  MemberPlace as MemberPlaceJson, TypeDifference as TypeDifferenceJson, TypeHistoryJson, TypesDiffJson, TypeSearchJson
} from '../../wire/types.js'
import { choice, cursor, member, name, patternList, release, sha256, typeKind, typeName } from './fields.js'
import { BuildParams } from './kernel.js'
import type { Same } from './same.js'

const nullable = <T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer>>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

const kernelOfTypes = {
  kernel: Type.String({ examples: ['ubuntu/20.04/x86_64/5.4.0-42-generic'] }),
  btf_sha256: sha256('The BTF that they are from.'),
  source: Type.String({ description: 'Where that came from.', examples: ['local', 'upload', 'btfhub', 'directory', 'upstream'] })
}

export const Member = Type.Object({
  name: nullable(Type.String(), 'Null where it has none: its own members count as those of what it is in.'),
  type: Type.String({ description: 'As C writes it.', examples: ['struct list_head *'] }),
  bit_offset: Type.Integer({ description: 'From the start of the type that was asked for, in bits.' }),
  bitfield_size: nullable(Type.Integer(), 'In bits; null for what is no bitfield.'),
  size: nullable(Type.Integer(), 'In bytes; null where it has none.'),
  members: Type.Optional(Type.Array(Type.Unsafe<unknown>({ $ref: 'Member#' }), {
    description: 'Of a struct or union without a name, and of a member without one.'
  }))
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
  ...kernelOfTypes,
  types: Type.Array(definition, { description: 'A kernel may have several of one name that differ.' })
}, { $id: 'KernelTypes', description: 'The types of one kind and name in a kernel.' })

export const ObjectTypes = Type.Object({
  object: sha256('The object that they are from.'),
  types: Type.Array(definition, { description: 'A program may have several of one name that differ.' })
}, { $id: 'ObjectTypes', description: 'The types of one kind and name in an object.' })

/** Types on a page, where the query does not say. */
export const DEFAULT_TYPES = 100

export const TypeSearchQuery = Type.Object({
  name: Type.Optional(name('What their names begin with.', 'task_')),
  member: Type.Optional(name('A member or enumerator that they have, those of nameless structs in them included.', 'pid')),
  kind: Type.Optional(typeKind({ description: 'Only types of this kind.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_TYPES, description: 'Most types to answer with.' })),
  cursor: Type.Optional(cursor('Where to go on: `next_cursor` of the answer before.')),
  ...BuildParams.properties
}, { additionalProperties: false })

export const TypesDiffQuery = Type.Object({
  from: release('The one kernel: a whole reference, or a bare release.'),
  to: release('The other.'),
  type: typeName('As C writes it, with a plus sign or %20 for the blank: `struct+task_struct`, `pid_t`.')
}, { additionalProperties: false })

export const TypeHistoryQuery = Type.Object({
  type: typeName('As C writes it, with a plus sign or %20 for the blank: `struct+task_struct`, `pid_t`.'),
  member: Type.Optional(member('Path of a member as C writes it, or an enumerator. Left out: the type as a whole.')),
  kernels: Type.Optional(patternList('Patterns of kernels as `POST /check` takes them, with commas between; `*`, the default, is all.'))
}, { additionalProperties: false })

const place = {
  path: Type.String({
    description: 'From the type on, as C writes it. Members without a name are left out.', examples: ['thread_info.cpu']
  }),
  type: Type.String({ description: 'As C writes it.', examples: ['unsigned int'] }),
  bit_offset: nullable(Type.Integer(), 'From the start of the type that was asked for, in bits. Null behind a pointer.'),
  bit_size: nullable(Type.Integer(), 'In bits, that of a bitfield included; null where it has none.'),
  is_bitfield: Type.Boolean()
}

export const MemberPlace = Type.Object(place, { $id: 'MemberPlace', description: 'Where a member is.' })

const nullablePlace = (description: string) =>
  Type.Unsafe<MemberPlaceJson | null>({ anyOf: [{ $ref: 'MemberPlace#' }, { type: 'null' }], description })

const change = choice(['same', 'added', 'removed', 'changed'])

const side = (description: string) => Type.Union([Type.Object({
  type_id: Type.Integer({ description: "In that kernel's BTF." }),
  size: nullable(Type.Integer(), 'In bytes; null where it has none.'),
  type: Type.Optional(Type.String({ description: 'Of a typedef: what it stands for, as C writes it.' }))
}), Type.Null()], { description })

export const MemberDifference = Type.Object({
  changes: Type.Array(choice(['added', 'removed', 'moved', 'resized', 'retyped', 'renamed']), {
    description: 'None for one that is the same in both. `renamed` only where that is sure.', examples: [['moved']]
  }),
  from: nullablePlace('Null where it was added.'),
  to: nullablePlace('Null where it was removed.')
}, { $id: 'MemberDifference' })

export const TypeDifference = Type.Object({
  change,
  from: side('Null where that kernel has no such type.'),
  to: side('Null where that kernel has no such type.'),
  members: Type.Optional(Type.Array(Type.Unsafe<MemberDifferenceJson>(Type.Ref('MemberDifference')), {
    description: 'Of both, in the order of `to`; what was removed stands where it was.'
  })),
  enumerators: Type.Optional(Type.Array(Type.Object({
    name: Type.String(),
    change,
    from: nullable(Type.String(), 'A decimal number; null where that kernel has none of the name.'),
    to: nullable(Type.String(), 'The same.')
  })))
}, { $id: 'TypeDifference' })

export const TypesDiff = Type.Object({
  type: Type.String({ description: 'As C writes it.', examples: ['struct task_struct'] }),
  from: Type.Object(kernelOfTypes),
  to: Type.Object(kernelOfTypes),
  is_same: Type.Boolean({ description: 'Whether all of `types` are the same in both.' }),
  types: Type.Array(Type.Unsafe<TypeDifferenceJson>(Type.Ref('TypeDifference')), {
    description: 'Mostly one. Where a kernel has several types of the name, each stands beside the one that is most like it.'
  })
}, { $id: 'TypesDiff', description: 'How the types of one name differ between two kernels.' })

export const HistoryRange = Type.Object({
  distro: Type.String({ examples: ['debian'] }),
  distro_version: Type.String({ examples: ['12'] }),
  arch: Type.String({ examples: ['x86_64'] }),
  flavour: Type.String({
    description: 'What follows the numbers of the release. Empty where nothing does.', examples: ['generic', 'cloud-amd64']
  }),
  first: Type.String({ description: '`uname -r` of the oldest kernel.', examples: ['5.10.0-8-amd64'] }),
  last: Type.String({ description: '`uname -r` of the newest kernel.', examples: ['5.10.0-30-amd64'] }),
  kernels: Type.Integer({ minimum: 1, description: 'Those that are held, from the first to the last.' }),
  state: choice(['present', 'missing', 'type_missing'], {
    description: '`missing`: the type has no such member. `type_missing`: the kernel has no such type.'
  }),
  places: Type.Array(Type.Object({
    ...place,
    found: choice(['named', 'renamed', 'moved', 'similar'], {
      description: 'How it was found: by the name that was asked for; by one that the kernel\'s history gives; ' +
        'by this name within an embedded struct; by a name that is nearly the same, which is a guess.'
    }),
    value: nullable(Type.String(), 'Of an enumerator: a decimal number. Null for what is none.')
  }), { description: 'One, unless the kernel has several types of the name, or the member became several. None where it is not there.' })
}, { $id: 'HistoryRange', description: 'Releases in a row in which the member was at one place.' })

export const TypeHistory = Type.Object({
  type: Type.String({ description: 'As C writes it.', examples: ['struct task_struct'] }),
  member: nullable(Type.String({ examples: ['state'] }), 'Null where the whole type was asked for.'),
  kernels: Type.Integer({ minimum: 0, description: 'Kernels that the patterns mean, those that were left out included.' }),
  ranges: Type.Array(Type.Unsafe<HistoryRangeJson>(Type.Ref('HistoryRange')), {
    description: 'By distribution, its version, architecture and flavour, and within these from the oldest release to the newest.'
  }),
  left_out: Type.Array(Type.Object({
    reason: Type.String({ description: 'A sentence.' }),
    kernels: Type.Integer({ minimum: 0 }),
    examples: Type.Array(Type.String(), { description: 'The first of them.' })
  }), { description: 'Kernels of which the answer says nothing. None where it is complete.' })
}, { $id: 'TypeHistory', description: 'Where a type, or a member of it, was in the kernels that are held.' })

export const FoundType = Type.Object({
  type_id: Type.Integer({ description: "In the kernel's BTF." }),
  kind: typeKind(),
  name: Type.String({ examples: ['task_struct'] }),
  size: nullable(Type.Integer(), 'In bytes; null where it has none.'),
  member: nullablePlace('The member that was asked for; null where none was, and for an enumerator.')
}, { $id: 'FoundType' })

export const TypeSearch = Type.Object({
  ...kernelOfTypes,
  types: Type.Array(Type.Unsafe<FoundTypeJson>(Type.Ref('FoundType')), { description: 'In the order of their names.' }),
  next_cursor: nullable(Type.String(), 'Null on the last page.')
}, { $id: 'TypeSearch', description: 'Types of a kernel by the beginning of their names, and by a member.' })

true satisfies Same<Static<typeof MemberPlace>, MemberPlaceJson>
true satisfies Same<Static<typeof MemberDifference>, MemberDifferenceJson>
true satisfies Same<Static<typeof TypeDifference>, TypeDifferenceJson>
true satisfies Same<Static<typeof TypesDiff>, TypesDiffJson>
true satisfies Same<Static<typeof HistoryRange>, HistoryRangeJson>
true satisfies Same<Static<typeof TypeHistory>, TypeHistoryJson>
true satisfies Same<Static<typeof FoundType>, FoundTypeJson>
true satisfies Same<Static<typeof TypeSearch>, TypeSearchJson>

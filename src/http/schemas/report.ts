import { Type, type TSchema } from 'typebox'
import { choice, sha256 } from './fields.js'

const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])
const Verdict = choice(['loads', 'fails', 'unknown'], { description: '`loads`: no poisoned instruction is reachable. `fails`: one is. `unknown`: cannot be decided.' })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const u64 = Type.Union([Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' })], { description: 'A number where JavaScript holds it exactly, else its decimal digits.' })

export const Relocation = Type.Object({
  program: Type.String(),
  section: Type.String(),
  instruction: count('Index of the instruction slot within the program.'),
  kind: choice([
    'byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64', 'local_type_id', 'target_type_id', 'type_exists', 'type_size', 'enumval_exists',
    'enumval_value', 'type_matches'
  ]),
  type: Type.String({ examples: ['struct task_struct'] }),
  access: Type.String({ examples: ['task_struct.state'] }),
  access_spec: Type.String({ examples: ['0:15'] }),
  source: orNull(Type.Object({ file: Type.String(), line: Type.Integer(), text: Type.String() })),
  status: choice(['resolved', 'absent', 'poisoned', 'failed']),
  reachable: orNull(Type.Boolean({ description: 'Whether a poisoned instruction can be reached.' })),
  old: u64,
  new: orNull(u64),
  reason: orNull(Type.String()),
  detail: orNull(Type.String()),
  suggestions: Type.Array(Type.String())
}, { $id: 'Relocation', description: 'What became of one CO-RE relocation.' })

export const Program = Type.Object({
  name: Type.String(),
  section: Type.String(),
  verdict: Verdict,
  verdict_reason: orNull(Type.String()),
  needs_kernel_btf: orNull(Type.String({ description: 'Why this program needs BTF in the running kernel whatever is relocated.' })),
  relocations: count('Number of relocations in it.')
}, { $id: 'Program' })

export const Report = Type.Object({
  object: Type.Object({ sha256: sha256('The object as it was sent.'), bytes: count('Its size.'), byte_order: choice(['little', 'big']) }),
  kernel: Type.Object({
    reference: orNull(Type.String({ description: 'Null where the request named the BTF by content only.' })),
    btf_sha256: sha256('The BTF that was relocated against.'),
    source: Type.String({ description: 'Where that BTF came from.', examples: ['local', 'upload', 'request'] }),
    modules: Type.Optional(Type.Array(sha256('BTF of a module.'), { description: 'BTF of the modules that were consulted, in their order.' }))
  }),
  result: Type.Object({ sha256: sha256('The patched object.'), bytes: count('Its size.'), changed_instructions: count('Instructions that differ.') }),
  engine: Type.Object({ name: Type.String(), version: Type.String(), semantics: Type.String() }),
  verdict: Verdict,
  counts: Type.Object({ resolved: count('A value from the kernel was written.'), absent: count('An existence check answered 0.'), poisoned: count('No value exists.') }),
  programs: Type.Array(Type.Ref('Program')),
  relocations: Type.Array(Type.Ref('Relocation')),
  warnings: Type.Array(Type.Object({ code: Type.String(), message: Type.String() }))
}, { $id: 'Report', description: 'What became of every relocation, and whether the programs can load.' })

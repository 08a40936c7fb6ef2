import { Type, type Static, type TSchema } from 'typebox'
import type * as wire from '../../wire/report.js'
import { choice, sha256 } from './fields.js'
import type { Same } from './same.js'

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const Verdict = choice(['loads', 'fails', 'unknown'], {
  description: '`loads`: no poisoned instruction is reachable. `fails`: one is. `unknown`: cannot be decided.'
})
const count = (description: string) => Type.Integer({ minimum: 0, description })
const u64 = Type.Union([Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' })], {
  description: 'A number where JavaScript holds it exactly, else its decimal digits.'
})
const Assumes = Type.Array(Type.String({ examples: ['.rodata.enabled = 0'] }), {
  description: 'What the verdict rests on that user space may set otherwise before it loads the object.'
})

const Place = Type.Object({
  program: Type.String(),
  section: Type.String(),
  instruction: count('Index of the instruction slot within the program.'),
  reachable: orNull(Type.Boolean({ description: 'Whether a poisoned instruction can be reached.' })),
  behind_poison: orNull(Type.Boolean({
    description: 'Whether it is out of reach only because the verifier stops at a poisoned instruction before it: it is reached once ' +
      'that is mended. Null where that is not known.'
  })),
  source: orNull(Type.Object({ file: Type.String(), line: Type.Integer(), text: Type.String() }))
})

export const Relocation = Type.Object({
  kind: Type.String({
    description: "libbpf's short name.",
    examples: [
      'byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64', 'local_type_id', 'target_type_id',
      'type_exists', 'type_size', 'enumval_exists', 'enumval_value', 'type_matches'
    ]
  }),
  type: Type.String({ examples: ['struct task_struct'] }),
  access: Type.String({ examples: ['task_struct.state'] }),
  access_spec: Type.String({ examples: ['0:15'] }),
  status: choice(['resolved', 'absent', 'poisoned', 'failed']),
  old: u64,
  new: orNull(u64),
  reason: orNull(Type.String({ examples: ['field_missing'] })),
  detail: orNull(Type.String()),
  suggestions: Type.Array(Type.Object({
    text: Type.String(),
    code: Type.String({ description: 'C to paste into the program; empty where the text is about how the program is compiled.' })
  })),
  places: Type.Array(Place, {
    description: 'In the order of the file: the first 20 where it is resolved or absent, else 1,000; with `places=all` every one.'
  }),
  places_total: count('How many there are.')
}, { $id: 'Relocation', description: 'What became of the CO-RE relocations that are equal but for their place.' })

export const Program = Type.Object({
  name: Type.String(),
  section: Type.String(),
  verdict: Verdict,
  verdict_reason: orNull(Type.String()),
  assumes: Assumes,
  needs_kernel_btf: orNull(Type.String({ description: 'Why this program needs BTF in the running kernel whatever is relocated.' })),
  relocations: count('Number of relocations in it.')
}, { $id: 'Program' })

export const Report = Type.Object({
  object: Type.Object({ sha256: sha256('The object as it was sent.'), bytes: count('Its size.'), byte_order: choice(['little', 'big']) }),
  kernel: Type.Object({
    reference: orNull(Type.String({ description: 'Null where the request named the BTF by content only.' })),
    btf_sha256: sha256('The BTF that was relocated against.'),
    build_id: orNull(Type.String({ description: "The kernel's GNU build id in hex, where it is known." })),
    source: Type.String({ description: 'Where that BTF came from.', examples: ['local', 'upload', 'request'] }),
    modules: Type.Optional(Type.Array(sha256('BTF of a module.'), {
      description: 'BTF of the modules that were consulted, in their order.'
    }))
  }),
  result: Type.Object({
    sha256: sha256('The patched object.'),
    bytes: count('Its size.'),
    changed_instructions: count('Instructions that differ.')
  }),
  engine: Type.Object({ name: Type.String(), version: Type.String(), semantics: Type.String() }),
  verdict: Verdict,
  assumes: Assumes,
  loads_without_kernel_btf: Type.Boolean({
    description: 'Whether nothing in the object needs BTF in the running kernel once it is relocated.'
  }),
  counts: Type.Object({
    resolved: count('A value from the kernel was written.'),
    absent: count('An existence check answered 0.'),
    poisoned: count('No value exists.')
  }),
  programs: Type.Array(Type.Ref('Program')),
  relocations: Type.Array(Type.Ref('Relocation')),
  warnings: Type.Array(Type.Object({ code: Type.String(), message: Type.String() }))
}, { $id: 'Report', description: 'What became of every relocation, and whether the programs can load.' })

type Documented = Omit<Static<typeof Report>, 'programs' | 'relocations'> & {
  programs: Array<Static<typeof Program>>
  relocations: Array<Static<typeof Relocation>>
}
true satisfies Same<Documented, Omit<wire.Report, 'counts'> & { counts: wire.Counts }>

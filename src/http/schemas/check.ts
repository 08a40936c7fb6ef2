import { Type, type Static, type TSchema } from 'typebox'
import type * as wire from '../../check/wire.js'
import { CHECK_LIMITS } from '../../check/limits.js'
import { STATES } from '../../check/wire.js'
import { choice, sha256 } from './fields.js'
import type { Program } from './report.js'
import { Relocation } from './report.js'

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const count = (description: string) => Type.Integer({ minimum: 0, description })
const file = (description: string) => Type.Unsafe<unknown>({ type: 'string', format: 'binary', description })

/** Fields that may stand in the query or in the form. */
export const CheckFields = Type.Object({
  group: Type.Optional(choice(['outcome'], { description: '`outcome`: kernels with equal outcomes are one row, which lists them.' })),
  fetch: Type.Optional(choice(['true', 'false'], {
    description: '`true`: kernels that are not held are fetched from the sources, ' +
      `at most ${CHECK_LIMITS.fetches} for one check. Default: \`false\`.`
  }))
}, { additionalProperties: false })

export type CheckFields = Static<typeof CheckFields>

/** The whole form: for the OpenAPI document. */
export const CheckForm = Type.Object({
  object: Type.Array(file('An eBPF ELF object; or, as text, the `sha256:…` of one that the service holds.'),
    { minItems: 1, maxItems: CHECK_LIMITS.objects }),
  kernels: Type.Array(Type.String({ examples: ['ubuntu/20.04/x86_64/*'] }), {
    minItems: 1,
    description: 'Kernels: `<distro>/<distro_version>/<arch>/<kernel_release>` or a release (`uname -r`), with `*` for any text within ' +
      'a part; `*` alone is every kernel that is held. Several may be in one part, a line each.'
  }),
  baseline: Type.Optional(file('An earlier answer (`application/json` or `application/x-ndjson`): ' +
    'rows that are as they were then are marked, and do not make the whole fail.')),
  ...CheckFields.properties
}, { $id: 'CheckForm', additionalProperties: false })

const State = choice(STATES, {
  description: '`loads`: passes. `fails`: a program can reach an instruction for which the kernel has no value. `unknown`: ' +
    'whether it does cannot be decided. `unresolvable`: libbpf refuses the object for this kernel. `unknown_kernel`: no BTF can be had. ' +
    '`not_fetched`: a source offers the kernel. `error`: it could not be checked.'
})
const Comparison = choice(['same', 'changed', 'new'], {
  description: 'Against the baseline: the same state, another one, or not there. Missing where none was given.'
})

export const CheckFailure = Type.Object({
  program: Type.String(),
  section: Type.String(),
  instruction: count('Index of the instruction slot within the program.'),
  reachable: orNull(Type.Boolean({ description: 'Whether the instruction can be reached; null where that is not known.' })),
  source: orNull(Type.Object({ file: Type.String(), line: Type.Integer(), text: Type.String() })),
  kind: Relocation.properties.kind,
  type: Relocation.properties.type,
  access: Relocation.properties.access,
  reason: Relocation.properties.reason,
  detail: Relocation.properties.detail,
  suggestions: Relocation.properties.suggestions
}, { $id: 'CheckFailure', description: 'A place that keeps a program from loading, or may.' })

const outcome = {
  object: sha256('The object.'),
  object_name: Type.String({ description: 'Of the file that was sent; else the hash.' }),
  state: State,
  baseline: Type.Optional(Comparison),
  reason: orNull(Type.String({ description: 'Why it is no `loads`.' })),
  programs: Type.Array(Type.Ref('Program')),
  failures: Type.Array(Type.Ref('CheckFailure'), { description: 'The first of the places that keep a program from loading, or may.' }),
  failures_total: count('How many there are.')
}

export const CheckRow = Type.Object({
  ...outcome,
  kernel: Type.String({ description: 'Its reference. A pattern that nothing matches stands for itself.' })
}, { $id: 'CheckRow', description: 'One object on one kernel.' })

export const CheckGroup = Type.Object({
  ...outcome,
  kernels: Type.Array(Type.String())
}, { $id: 'CheckGroup', description: 'One object on all kernels on which it has one outcome.' })

export const CheckSummary = Type.Object({
  verdict: choice(['passes', 'fails', 'undecided'], {
    description: '`passes`: each row loads, or is as in the baseline. `fails`: one is `fails` or `unresolvable`. `undecided`: neither.'
  }),
  objects: Type.Array(Type.Object({ sha256: sha256('The object.'), name: Type.String() })),
  kernels: count('Kernels.'),
  rows: count('Rows, before they are grouped.'),
  states: Type.Object(countsOf(STATES), { description: 'Rows in each state.' }),
  outcomes: count('Different outcomes, those of each object for themselves.'),
  baseline: orNull(Type.Object({ same: count('As before.'), changed: count('In another state.'), new: count('Not there before.') })),
  engine: Type.Object({ name: Type.String(), version: Type.String(), semantics: Type.String() }),
  ms: count('Milliseconds from the first row to the last.')
}, { $id: 'CheckSummary' })

export const CheckWarning = Type.Object({
  object: sha256('The object.'),
  object_name: Type.String(),
  code: Type.String({ examples: ['nothing_to_relocate', 'already_relocated', 'function_undefined'] }),
  message: Type.String()
}, {
  $id: 'CheckWarning',
  description: 'An object that passes because there is nothing to relocate in it, or that libbpf opens for no kernel.'
})

const problem = Type.Object({ code: Type.String(), detail: Type.String() }, {
  additionalProperties: true,
  description: 'Why not all rows are there.'
})

export const CheckAnswer = Type.Object({
  rows: Type.Array(Type.Union([Type.Ref('CheckRow'), Type.Ref('CheckGroup')])),
  summary: orNull(Type.Ref('CheckSummary')),
  problem: Type.Optional(problem),
  warnings: Type.Array(Type.Ref('CheckWarning'))
}, { $id: 'CheckAnswer' })

function countsOf<Name extends string> (names: readonly Name[]): Record<Name, ReturnType<typeof count>> {
  return Object.fromEntries(names.map(name => [name, count('Rows.')])) as Record<Name, ReturnType<typeof count>> // as many as names
}

/** The document says of rows and summary what the code says, member by member. */
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : never : never
type Mutable<T> = T extends ReadonlyArray<infer Item>
  ? Array<Mutable<Item>>
  : T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T
type Documented<T> = Omit<T, 'programs' | 'failures'> & {
  programs: Array<Static<typeof Program>>
  failures: Array<Static<typeof CheckFailure>>
}
true satisfies Same<Mutable<Documented<Static<typeof CheckRow>>>, Mutable<wire.CheckRow>>
true satisfies Same<Mutable<Documented<Static<typeof CheckGroup>>>, Mutable<wire.CheckGroup>>
true satisfies Same<Mutable<Static<typeof CheckWarning>>, Mutable<wire.CheckWarning>>
true satisfies Same<Mutable<Static<typeof CheckSummary>>, Mutable<wire.CheckSummary>>

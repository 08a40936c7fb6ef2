import { Type, type Static } from 'typebox'
import { LIMITS } from '../../limits.js'
import { buildId, choice, kernelVersion, moduleList, release, segment, sha256, sha256List } from './fields.js'

const places = choice(['all'], {
  description: 'The report lists every place of every relocation, and not only the first 20 of those that have a value or answer 0, ' +
    'and 1,000 of others.'
})

/** The text fields that name a kernel and its modules. */
const kernelFields = {
  kernel_release: Type.Optional(release('`uname -r`, or a whole kernel reference.')),
  arch: Type.Optional(segment('Narrows the kernel.', 'x86_64')),
  distro: Type.Optional(segment('Narrows the kernel.', 'ubuntu')),
  distro_version: Type.Optional(segment('Narrows the kernel.', '20.04')),
  kernel_version: Type.Optional(kernelVersion('`uname -v`; narrows the kernel.')),
  kernel_build_id: Type.Optional(buildId("The kernel's GNU build-id, from its notes in /sys/kernel/notes; " +
    'settles the kernel by itself, and contradicts a wrong name.')),
  btf_sha256: Type.Optional(sha256('Names the BTF to relocate against by content; settles the kernel by itself.')),
  modules: Type.Optional(moduleList('Kernel modules whose BTF may also be consulted.'))
}

export const KernelFields = Type.Object(kernelFields, { additionalProperties: false })

export type KernelFields = Static<typeof KernelFields>

/** The text fields of a relocation: query parameters beside a raw body, text parts of a form. */
export const RelocateFields = Type.Object({
  ...kernelFields,
  on_unresolved: Type.Optional(choice(['poison', 'fail'], {
    description: '`poison` (the default, what libbpf does), or `fail`: ' +
      '422 when a poisoned instruction can be reached, or when that is `unknown`.'
  })),
  places: Type.Optional(places),
  assume: Type.Optional(Type.Array(Type.String({ minLength: 1 }), {
    maxItems: LIMITS.assumptions,
    description: '`name=value` of a `.rodata` variable or a `.kconfig` extern, for the verdict only: ' +
      'user space may set these before loading. A part of a variable is named by member or offset: `CFG.enabled`, `CFG+18`. ' +
      'A decimal or hex number, `true`, `false`, or for a configuration value `y`, `n` or `m`.'
  }))
}, { additionalProperties: false })

export type RelocateFields = Static<typeof RelocateFields>

const file = (description: string) => Type.Unsafe<unknown>({ type: 'string', format: 'binary', description })

/** The whole form: for the OpenAPI document. */
export const RelocateForm = Type.Object({
  object: file('The eBPF ELF object; or, as text, the `sha256:…` of one that the service holds.'),
  btf: Type.Optional(Type.Array(file('Raw BTF, or ELF with `.BTF`.'), {
    description: 'Relocate against this BTF and store nothing: vmlinux first, then split BTF.'
  })),
  ...RelocateFields.properties
}, { $id: 'RelocateForm', additionalProperties: false })

export const MinBtfForm = Type.Object({
  object: Type.Array(file('An eBPF ELF object; or, as text, the `sha256:…` of one that the service holds.'), {
    minItems: 1, maxItems: LIMITS.minimisedObjects
  }),
  btf: Type.Optional(Type.Array(file('Raw BTF, or ELF with `.BTF`.'), {
    description: 'Cut down this BTF, and store nothing: vmlinux first, then split BTF.'
  })),
  ...kernelFields
}, { $id: 'MinBtfForm', additionalProperties: false })

export const RelocatedParams = Type.Object({
  object: sha256('The object.'),
  btf: sha256('The BTF to relocate against.')
})

export const RelocatedQuery = Type.Object({
  engine: Type.Optional(segment('Version of the engine: the answer is that of no other.', '1.0.0')),
  modules: Type.Optional(sha256List('Hashes of the module BTFs that may also be consulted.')),
  module_list: Type.Optional(sha256('Instead of `modules`: the digest of a long list, as `Content-Location` had it. ' +
    'The service remembers lists for a while.')),
  places: Type.Optional(places)
}, { additionalProperties: false })

export type RelocatedQuery = Static<typeof RelocatedQuery>

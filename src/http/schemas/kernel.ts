import { Type, type Static } from 'typebox'
import type { HeldKernelJson, KernelPageJson, OfferedKernelJson } from '../../wire/kernel.js'
import { buildId, cursor, kernelVersion, name, segment, sha256, typeKind } from './fields.js'
import type { Same } from './same.js'

const count = (description: string) => Type.Integer({ minimum: 0, description })
const time = (description: string) => Type.String({ format: 'date-time', description })

const reference = {
  distro: segment('As BTFHub names it.', 'ubuntu'),
  version: segment('Version of the distribution.', '20.04'),
  arch: segment("BTFHub's name or another common one, which is normalised.", 'x86_64'),
  release: segment('`uname -r`.', '5.4.0-42-generic')
}

export const KernelParams = Type.Object(reference)
export const ModuleParams = Type.Object({ ...reference, module: segment('Name of a kernel module.', 'nf_conntrack') })

export const TypeParams = Type.Object({
  ...reference,
  kind: typeKind({ description: 'As C writes it.' }),
  name: name('Its name.', 'task_struct')
})

export const NoQuery = Type.Object({}, { additionalProperties: false })

/** Kernels on a page, where the query does not say. */
export const DEFAULT_LIMIT = 100

export const KernelListQuery = Type.Object({
  release: Type.Optional(segment('Only kernels of this release.', '5.4.0-42-generic')),
  distro: Type.Optional(segment('Only kernels of this distribution.', 'ubuntu')),
  distro_version: Type.Optional(segment('Only kernels of this version of the distribution.', '20.04')),
  arch: Type.Optional(segment('Only kernels of this architecture.', 'x86_64')),
  offered: Type.Optional(Type.Boolean({ description: 'Only kernels that a source is known to have, held ones among them.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_LIMIT, description: 'Most kernels to answer with.' })),
  cursor: Type.Optional(cursor('Where to go on: `next_cursor` of the answer before.'))
}, { additionalProperties: false })

/** Which build of a kernel is meant, where its release was built several times. */
export const BuildParams = Type.Object({
  kernel_version: Type.Optional(kernelVersion('`uname -v` of the kernel that is meant.')),
  kernel_build_id: Type.Optional(buildId("The kernel's GNU build-id."))
}, { additionalProperties: false })

export const PutBtfQuery = Type.Object({
  kernel_version: Type.Optional(kernelVersion('`uname -v` of the kernel that the BTF belongs to.')),
  kernel_build_id: Type.Optional(buildId('GNU build-id of the kernel that the BTF belongs to.'))
}, { additionalProperties: false })

export const PutModuleQuery = Type.Object({
  btf_sha256: Type.Optional(sha256('The vmlinux BTF that it extends; needed where several are held for the kernel.'))
}, { additionalProperties: false })

const names = {
  reference: Type.String({ examples: ['ubuntu/20.04/x86_64/5.4.0-42-generic'] }),
  distro: Type.String(),
  distro_version: Type.String(),
  arch: Type.String(),
  release: Type.String()
}

const published = Type.Union([Type.Object({
  repository: Type.String(),
  package: Type.String({ examples: ['linux-image-6.1.0-57-amd64'] }),
  version: Type.String({ examples: ['6.1.192-3'] }),
  bytes: count('Size of the package.'),
  built_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When it was built, where the repository says.'
  })
}), Type.Null()], { description: 'The package in which its distribution publishes it, as far as that is known.' })

export const Kernel = Type.Object({
  ...names,
  state: Type.Literal('held'),
  sources: Type.Array(Type.String(), { description: 'Who is known to have it: `source` first.' }),
  btf_sha256: sha256('Its raw BTF.'),
  bytes: count('Size of its raw BTF.'),
  types: count('Types in it.'),
  build_id: Type.Union([Type.String(), Type.Null()], { description: "The kernel's GNU build-id, where that is known." }),
  source: Type.String({ description: 'Where it came from.', examples: ['local', 'upload', 'btfhub', 'directory', 'upstream'] }),
  provenance: Type.Object({
    by: Type.String({ description: 'Who supplied it.' }),
    at: time('When.'),
    kernel_version: Type.Optional(Type.String({ description: '`uname -v`, where that is known.' })),
    url: Type.Optional(Type.String({ description: 'Where a source had it.' })),
    etag: Type.Optional(Type.String({ description: "The source's name for the bytes." })),
    package: Type.Optional(Type.Object({ repository: Type.String(), name: Type.String(), version: Type.String() }, {
      description: 'The package that it was in.'
    })),
    checked_at: Type.Optional(time('When the source last said that it still has the same.'))
  }),
  first_seen: time('When the service first had it.'),
  last_used: time('When a request last used it.'),
  modules: Type.Array(Type.Object({
    name: Type.String(),
    btf_sha256: sha256('Its split BTF.'),
    bytes: count('Size of its split BTF.'),
    source: Type.String({ description: 'Where that came from.' })
  })),
  published
}, { $id: 'Kernel', description: 'A kernel whose BTF the service has. A name has an entry for each content that was supplied for it.' })

export const OfferedKernel = Type.Object({
  ...names,
  state: Type.Literal('offered'),
  sources: Type.Array(Type.String(), { description: 'Who is known to have it.', examples: [['btfhub']] }),
  btf_sha256: Type.Null(),
  bytes: Type.Null(),
  types: Type.Null(),
  build_id: Type.Null(),
  source: Type.Null(),
  provenance: Type.Null(),
  first_seen: Type.Null(),
  last_used: Type.Null(),
  modules: Type.Array(Type.Never(), { maxItems: 0 }),
  published
}, { $id: 'OfferedKernel', description: 'A kernel that a source is known to have, and whose BTF is fetched when it is asked for.' })

export const KernelPage = Type.Object({
  kernels: Type.Array(Type.Union([Type.Ref('Kernel'), Type.Ref('OfferedKernel')])),
  next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page.' })
}, { $id: 'KernelPage' })

true satisfies Same<Static<typeof Kernel>, HeldKernelJson>
true satisfies Same<Static<typeof OfferedKernel>, OfferedKernelJson>
true satisfies Same<Omit<Static<typeof KernelPage>, 'kernels'>, Omit<KernelPageJson, 'kernels'>>

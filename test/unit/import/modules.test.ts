import { describe, expect, it } from 'vitest'
import type { Found } from '../../../src/formats/found.js'
import { createKernelImport, type ImportReport, type KernelSink, type NamedKernelBtf } from '../../../src/import/import-kernels.js'
import type { NamedKernel } from '../../../src/import/kernel-of-module.js'
import { formatReference, parseReference } from '../../../src/identity/reference.js'
import { packed } from '../formats/packed.js'

/** A sink that keeps what it is given in memory. */
function memory (held: readonly NamedKernel[] = []) {
  const kernels: NamedKernelBtf[] = []
  const modules: string[] = []
  const sink: KernelSink = {
    async putKernel (kernel) { kernels.push(kernel); return 'new' },
    async putModule (kernel, { name }) { modules.push(`${formatReference(kernel)}: ${name}`); return 'new' },
    async getKernel (reference) {
      const isHeld = [...held, ...kernels].some(kernel => formatReference(kernel.reference) === formatReference(reference))
      return isHeld ? packed('vmlinux.btf') : undefined
    },
    async findKernels (release) { return [...held, ...kernels].filter(({ reference }) => reference.release === release) },
    async flush () {}
  }
  return { sink, kernels, modules }
}

async function importFiles (sink: KernelSink, files: ReadonlyArray<readonly Found[]>): Promise<ImportReport> {
  const run = createKernelImport({ sink, given: {}, encodeDwarf: async () => { throw new Error('not asked for') } })
  for (const found of files) {
    for (const one of found) await run.add(one)
    await run.endOfFile()
  }
  return await run.finish()
}

interface Package {
  readonly release: string
  readonly version: string
  readonly kernelVersion: string
  readonly distro: string
}

const JAMMY: Package = {
  release: '5.15.0-91-generic', version: '5.15.0-91.101', kernelVersion: '#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023', distro: 'ubuntu'
}
const FOCAL: Package = { ...JAMMY, version: '5.15.0-91.101~20.04.1', kernelVersion: '#101~20.04.1-Ubuntu SMP Thu Nov 16 14:22:28 UTC 2023' }
const TRIXIE: Package = {
  release: '6.12.43+deb13-amd64',
  version: '6.12.43-1',
  kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2026-08-27)',
  distro: 'debian'
}

function image ({ release, kernelVersion, version, distro }: Package): Found {
  return {
    kind: 'vmlinux',
    place: `image.deb: boot/vmlinuz-${release}`,
    btf: packed('vmlinux.btf'),
    evidence: { release, kernelVersion, arch: 'x86_64', distro, packageVersion: version, buildId: '6a2b4ac77585b8cf' }
  }
}

function module ({ release, version, distro }: Package, file = 'modules.deb'): Found {
  return {
    kind: 'module',
    place: `${file}: lib/modules/${release}/kernel/sound/snd-demo.ko`,
    name: 'snd_demo',
    btf: packed('snd-demo.btf'),
    distilledBase: undefined,
    evidence: { release, arch: 'x86_64', distro, packageVersion: version }
  }
}

const held = (reference: string, { kernelVersion }: Package): NamedKernel => ({ reference: parseReference(reference), kernelVersion })
const IN_JAMMY = 'ubuntu/22.04/x86_64/5.15.0-91-generic'
const IN_FOCAL = 'ubuntu/20.04/x86_64/5.15.0-91-generic'

describe('modules in a package of their own', () => {
  it.each([
    ["of Ubuntu's, after their kernel", JAMMY, [image(JAMMY)], IN_JAMMY],
    ["of Debian 13's, after their kernel", TRIXIE, [image(TRIXIE)], 'debian/13/x86_64/6.12.43+deb13-amd64']
  ])('%s go with it', async (_what, built, first, reference) => {
    const { sink, modules } = memory()
    expect((await importFiles(sink, [first, [module(built)]])).notImported).toEqual([])
    expect(modules).toEqual([`${reference}: snd_demo`])
  })

  it('that come before their kernel wait for it', async () => {
    const { sink, modules } = memory()
    expect((await importFiles(sink, [[module(JAMMY)], [image(JAMMY)]])).notImported).toEqual([])
    expect(modules).toEqual([`${IN_JAMMY}: snd_demo`])
  })

  it('go with the kernel of their build that is held, where two are of their release', async () => {
    const both = [held(IN_JAMMY, JAMMY), held(IN_FOCAL, FOCAL)]
    for (const [built, reference] of [[JAMMY, IN_JAMMY], [FOCAL, IN_FOCAL]] as const) {
      const { sink, modules } = memory(both)
      expect((await importFiles(sink, [[module(built)]])).notImported).toEqual([])
      expect(modules).toEqual([`${reference}: snd_demo`])
    }
  })

  it('never go with a kernel of another build, even if it is the only one that is held', async () => {
    const { sink, modules } = memory([held(IN_FOCAL, FOCAL)])
    const { notImported } = await importFiles(sink, [[module(JAMMY)]])
    expect(modules).toEqual([])
    expect(notImported).toMatchObject([{ reason: expect.stringContaining("import the kernel's own package") }])
  })
})

describe('modules in the package of their kernel', () => {
  it('are its own, whether they come before or after it', async () => {
    for (const order of [[image(TRIXIE), module(TRIXIE, 'image.deb')], [module(JAMMY, 'image.deb'), image(JAMMY)]]) {
      const { sink, modules } = memory()
      expect((await importFiles(sink, [order])).notImported).toEqual([])
      expect(modules).toHaveLength(1)
    }
  })
})

it("a kernel's build-id and uname -v are kept", async () => {
  const { sink, kernels } = memory()
  await importFiles(sink, [[image(JAMMY)]])
  expect(kernels).toMatchObject([{ buildId: '6a2b4ac77585b8cf', kernelVersion: JAMMY.kernelVersion }])
})

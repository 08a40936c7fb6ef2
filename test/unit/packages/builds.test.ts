import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { parseReference } from '../../../src/identity/reference.js'
import { sha256 } from '../../../src/store/sha256.js'
import { kernelVersionOf, startPackageRepository, withOtherTypes, type PackageRepository } from '../../support/package-repository.js'
import { packed } from '../formats/packed.js'
import { failure, startService, temporaryFolder, type StartedService } from '../service/lab.js'

const RELEASE = '6.1.0-51-amd64'
const KERNEL = parseReference(`debian/12/x86_64/${RELEASE}`)
const BTF = packed('vmlinux.btf')
const OTHER_BTF = withOtherTypes(Buffer.from(BTF))
const [FIRST, SECOND, THIRD] = ['6.1.176-1', '6.1.176-2', '6.1.176-3'] as const
const MODULES = { 'sound/snd-demo': packed('snd-demo.ko') }

let repository: PackageRepository
let folder: string
beforeEach(async () => {
  repository = await startPackageRepository()
  folder = await temporaryFolder()
  onTestFinished(() => repository.close())
})

const start = async (settings = repository.writeSettings(folder), more = {}): Promise<StartedService> =>
  await startService(join(folder, 'cache'), { packages: [settings], trustUploads: false, sources: { fetch: { tries: 1 } }, ...more })
/** The hash of what answers for the name, and for a build of it where a version is given. */
const ask = async (service: StartedService, version?: string): Promise<string> =>
  (await service.getKernelBtf(
    KERNEL, undefined, { waitMs: 300_000, ...(version === undefined ? {} : { kernelVersion: kernelVersionOf(version) }) }
  )).sha256
const downloads = (): string[] => repository.requests.filter(path => path.startsWith('pool/'))
const held = async (service: StartedService) => (await service.listKernels({ limit: 100 })).kernels.flatMap(kernel =>
  kernel.state === 'held' ? [[kernel.btfSha256, kernel.provenance.kernelVersion]] : [])

describe('a package whose kernel is another build than the one that is meant', () => {
  it('does not answer for the name, with both builds in the words, and is recorded as the build that it is', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    const service = await start()
    const error = await failure('kernel_unknown', ask(service, SECOND))
    expect(error.message).toContain(
      `It is held as another build (${kernelVersionOf(FIRST)}) than the one that is meant (${kernelVersionOf(SECOND)})`
    )
    expect(JSON.stringify(error.details['sources'])).toContain(
      `have debian/12/x86_64/${RELEASE} with uname -v ${kernelVersionOf(FIRST)}, and not with uname -v ${kernelVersionOf(SECOND)}, ` +
        'which is meant'
    )
    expect(await held(service)).toEqual([[sha256(BTF), kernelVersionOf(FIRST)]])
    expect(await ask(service, FIRST)).toBe(sha256(BTF))
    expect(downloads()).toHaveLength(1)
  })

  it('is read once, however many other builds are said to be meant', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    const service = await start()
    const said = Array.from({ length: 9 }, (_, i) => `6.1.17${i}-9`)
    await Promise.all(said.slice(0, 5).map(version => failure('kernel_unknown', ask(service, version))))
    for (const version of said.slice(5)) await failure('kernel_unknown', ask(service, version))
    expect(downloads()).toHaveLength(1)
  })

  it('is not all that is looked for: what is listed no longer may be the one', async () => {
    const past = await startPackageRepository()
    onTestFinished(() => past.close())
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true })
    await past.publishBuild(RELEASE, { version: FIRST })
    const file = join(folder, 'both.yaml')
    const entry = (url: string, more: string): string =>
      `{ preset: debian, mirror: "${url}", suites: [bookworm], arches: [amd64], unsigned: true${more} }`
    writeFileSync(file, `repositories: [${entry(repository.url, '')}, ${entry(past.url, ', history: true')}]\n`)
    const service = await start(file)
    expect(await ask(service, FIRST)).toBe(sha256(BTF))
    expect(await ask(service, SECOND)).toBe(sha256(OTHER_BTF))
    expect([downloads().length, past.requests.filter(path => path.startsWith('pool/')).length]).toEqual([1, 1])
  })
})

describe('of several builds of one release', () => {
  it.each([[FIRST, BTF], [SECOND, OTHER_BTF]] as const)('%s answers where it is meant', async (version, btf) => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true })
    expect(await ask(await start(), version)).toBe(sha256(btf))
  })

  it('none answers for the name alone where their BTF differs, before and after one of them was asked for', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true })
    const service = await start()
    for (const before of [undefined, SECOND]) {
      if (before !== undefined) await ask(service, before)
      const error = await failure('kernel_ambiguous', ask(service))
      expect(error).toMatchObject({
        details: {
          candidates: expect.arrayContaining([FIRST, SECOND].map(version =>
            expect.objectContaining({ kernel_version: kernelVersionOf(version) })))
        }
      })
    }
    expect(downloads()).toHaveLength(2)
  })

  it('each answers, and so does the name alone, where their BTF is the same', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    await repository.publishBuild(RELEASE, { version: SECOND })
    const service = await start()
    for (const version of [undefined, FIRST, SECOND]) expect(await ask(service, version)).toBe(sha256(BTF))
    expect(downloads()).toHaveLength(2)
    await failure('kernel_unknown', ask(service, THIRD))
  })

  it('none answers where one cannot be read and may be the one that is meant', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true })
    repository.intercept = (_request, response, path) => {
      if (!path.endsWith(`${SECOND}.deb`)) return false
      response.writeHead(404).end()
      return true
    }
    const service = await start()
    expect(await failure('source_failed', ask(service, SECOND))).toMatchObject({
      message: expect.stringContaining('the mirror is out of date')
    })
    await failure('source_failed', ask(service))
    expect(await held(service)).toEqual([])
    expect(await ask(service, FIRST)).toBe(sha256(BTF))
  })
})

describe('the modules of a kernel', () => {
  const module = async (service: StartedService) => await service.getKernelBtf(KERNEL, 'snd_demo', { waitMs: 300_000 })

  it('are those of the build that is held, also after a restart, and its kernel is not read again for them', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST, modules: MODULES })
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true })
    const before = await start()
    await ask(before, FIRST)
    await ask(before, SECOND)
    await before.close()
    const service = await start()
    const count = downloads().length
    const found = await service.getKernelBtf(KERNEL, 'snd_demo', { waitMs: 300_000, kernelVersion: kernelVersionOf(FIRST) })
    expect({ base: found.base, sha256: found.sha256 }).toEqual({ base: sha256(BTF), sha256: sha256(packed('snd-demo.btf')) })
    expect(downloads().slice(count)).toEqual([`pool/linux-image-${RELEASE}_${FIRST}.deb`])
  })

  it('are not those of another build that took its place in the index', async () => {
    await repository.publishBuild(RELEASE, { version: FIRST })
    const service = await start(undefined, { catalogMs: 1 })
    await ask(service, FIRST)
    repository.withdrawBuild(RELEASE, FIRST)
    await repository.publishBuild(RELEASE, { version: SECOND, hasOtherTypes: true, modules: MODULES })
    await expect.poll(async () => {
      await service.refreshCatalog()
      return (await service.listKernels({ limit: 10 })).kernels.map(({ published }) => published?.version)
    }).toContain(SECOND)
    await failure('btf_unknown', module(service))
    expect((await held(service)).map(([btf]) => btf)).toContain(sha256(BTF))
  })
})

import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { AppError } from '../../../src/errors.js'
import type { Member } from '../../../src/formats/containers/member.js'
import { parseReference } from '../../../src/identity/reference.js'
import { extractModules } from '../../../src/packages/worker/read-package.js'
import { sha256 } from '../../../src/store/sha256.js'
import { kernelVersionOf, startPackageRepository, type PackageRepository } from '../../support/package-repository.js'
import { packed } from '../formats/packed.js'
import { startService, temporaryFolder, type StartedService } from '../service/lab.js'

const RELEASE = '6.1.0-51-amd64'
const KERNEL = parseReference(`debian/12/x86_64/${RELEASE}`)
const MODULE = packed('snd-demo.ko')
const MODULE_BTF = packed('snd-demo.btf')
/** Two that can be used, one that was cut off, and one that is no module. */
const MODULES = {
  'sound/snd-demo': MODULE, 'net/broken': MODULE.subarray(0, 700), 'net/empty': Buffer.alloc(64), 'sound/snd-other': MODULE
}

describe('the modules of a package', () => {
  /** What was read of its files, in their order. */
  const read: string[] = []
  beforeEach(() => { read.length = 0 })

  async function * files (given: Readonly<Record<string, Uint8Array>>): AsyncGenerator<Member> {
    for (const [name, bytes] of Object.entries(given)) {
      read.push(name)
      yield {
        name: `lib/modules/${RELEASE}/kernel/${name}.ko`, size: bytes.length, read: async () => bytes, async * pieces () { yield bytes }
      }
    }
  }
  const extract = async (given: Readonly<Record<string, Uint8Array>>, names: readonly string[] | 'all') =>
    await extractModules(
      files(given), { kind: 'modules', format: 'deb', release: RELEASE, arch: 'x86_64', sha256: undefined, what: 'linux-modules', names }
    )

  it('are read no further than the last that is wanted', async () => {
    expect(await extract(MODULES, ['snd_demo'])).toEqual([{ name: 'snd_demo', bytes: MODULE }])
    expect(read).toEqual(['sound/snd-demo'])
  })

  it('are read to the end for one that is not there', async () => {
    expect(await extract(MODULES, ['snd_demo', 'xfs'])).toEqual([{ name: 'snd_demo', bytes: MODULE }])
    expect(read).toEqual(Object.keys(MODULES))
  })

  it('are all that have BTF where all are wanted, of each its BTF alone', async () => {
    expect(await extract(MODULES, 'all')).toEqual(['snd_demo', 'snd_other'].map(name => ({ name, bytes: MODULE_BTF })))
    expect(read).toEqual(Object.keys(MODULES))
  })

  it('are bounded in their number', async () => {
    const many = Object.fromEntries(Array.from({ length: 8193 }, (_, i) => [`net/m${i}`, MODULE]))
    await expect(extract(many, 'all')).rejects.toMatchObject(new AppError(
      'too_large', 'The modules in linux-modules are more than 8192, or have more than 268435456 bytes.', { limit: 268435456 }
    ))
  })
})

describe('a service that is asked for a module', () => {
  let repository: PackageRepository
  beforeEach(async () => {
    repository = await startPackageRepository()
    onTestFinished(() => repository.close())
    await repository.publishBuild(RELEASE, { version: '6.1.176-1', modules: MODULES })
  })
  const start = async (packageModules: 'asked' | 'all'): Promise<StartedService> => {
    const folder = await temporaryFolder()
    const service = await startService(
      join(folder, 'cache'),
      { packages: [repository.writeSettings(folder)], packageModules, trustUploads: false, sources: { fetch: { tries: 1 } } }
    )
    await service.getKernelBtf(KERNEL, undefined, { waitMs: 300_000 })
    repository.requests.length = 0
    return service
  }
  const ask = async (service: StartedService, name: string) =>
    (await service.getKernelBtf(KERNEL, name, { waitMs: 300_000, kernelVersion: kernelVersionOf('6.1.176-1') })).sha256
  const held = async (service: StartedService): Promise<string[]> =>
    (await service.getKernel(KERNEL)).modules.map(({ name }) => name).sort()
  const downloads = (): number => repository.requests.filter(path => path.startsWith('pool/')).length

  it('takes that one, and reads the package again for the next', async () => {
    const service = await start('asked')
    expect(await ask(service, 'snd_demo')).toBe(sha256(MODULE_BTF))
    expect(await held(service)).toEqual(['snd_demo'])
    expect(await ask(service, 'snd_other')).toBe(sha256(MODULE_BTF))
    expect([downloads(), await held(service)]).toEqual([2, ['snd_demo', 'snd_other']])
  })

  it('takes all of them at once where it is set to, and then knows which there are', async () => {
    const service = await start('all')
    expect(await ask(service, 'snd_other')).toBe(sha256(MODULE_BTF))
    expect(await held(service)).toEqual(['snd_demo', 'snd_other'])
    expect(await ask(service, 'snd_demo')).toBe(sha256(MODULE_BTF))
    await expect(ask(service, 'xfs')).rejects.toMatchObject({ code: 'btf_unknown' })
    expect(downloads()).toBe(1)
  })

  it('reads the package once for all who ask for several of them at a time, where it takes all', async () => {
    const service = await start('all')
    const found = await Promise.all(['snd_demo', 'snd_other', 'snd_demo'].map(name => ask(service, name)))
    expect(new Set(found)).toEqual(new Set([sha256(MODULE_BTF)]))
    expect([downloads(), await held(service)]).toEqual([1, ['snd_demo', 'snd_other']])
  })
})

import { mkdir, writeFile } from 'node:fs/promises'
import { machine, release } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { normalizeArch } from '../../../src/identity/arch.js'
import { sha256 } from '../../../src/store/sha256.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { buildIdNote } from '../../support/elf-note.js'
import {
  BY_NODE, emptyBtf, failure, fooBtf, fooObject, offsetOfY, put, relocate, startService, temporaryFolder, UBUNTU
} from '../service/lab.js'

const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'

describe('a release', () => {
  it('that two kernels with different BTF share is ambiguous, until something narrows it', async () => {
    const service = await startService(await temporaryFolder())
    const one = await put(service, fooBtf(1))
    const two = await put(service, fooBtf(2), { distroVersion: '18.04' })
    const error = await failure('kernel_ambiguous', relocate(service))
    expect(error.details['candidates']).toEqual([
      { reference: 'ubuntu/18.04/x86_64/5.4.0-42-generic', btf_sha256: two.entry.btfSha256, source: 'upload' },
      { reference: 'ubuntu/20.04/x86_64/5.4.0-42-generic', btf_sha256: one.entry.btfSha256, source: 'upload' }
    ])
    const narrowed = await relocate(service, { kernel: { release: UBUNTU.release, distroVersion: '18.04' } })
    expect(narrowed).toMatchObject({ btfSha256: two.entry.btfSha256, kernel: 'ubuntu/18.04/x86_64/5.4.0-42-generic' })
    expect((await relocate(service, { btfSha256: one.entry.btfSha256 })).btfSha256).toBe(one.entry.btfSha256)
  })

  it('that several kernels with one BTF share means that BTF', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    await put(service, fooBtf(), { distroVersion: '18.04' })
    expect(await relocate(service)).toMatchObject({ kernel: UBUNTU.release, btfSha256: sha256(fooBtf()) })
  })

  it('built twice is told apart by kernel_version, where the service knows that', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf(1), {}, { kernelVersion: '#46-Ubuntu SMP' })
    await put(service, fooBtf(2), { distro: 'other' })
    const error = await failure('kernel_unknown', relocate(service, { kernel: { ...UBUNTU, kernelVersion: '#47-Ubuntu SMP' } }))
    expect(error.details['sources']).toContainEqual({
      source: 'upload', answer: 'has ubuntu/20.04/x86_64/5.4.0-42-generic with kernel_version #46-Ubuntu SMP'
    })
    expect((await relocate(service, { kernel: { ...UBUNTU, kernelVersion: '#46-Ubuntu SMP' } })).btfSha256).toBe(sha256(fooBtf(1)))
    expect((await relocate(service, { kernel: { release: UBUNTU.release, kernelVersion: '#48' } })).kernel).toBe(
      'other/20.04/x86_64/5.4.0-42-generic'
    )
  })

  it('that is unknown gets the sources that were asked and the nearest kernels', async () => {
    const service = await startService(await temporaryFolder())
    for (const held of ['5.4.0-40-generic', '5.4.0-47-generic', '5.15.0-1-generic', '4.18.0']) {
      await put(service, fooBtf(), { release: held })
    }
    const error = await failure('kernel_unknown', relocate(service))
    expect(error.details).toMatchObject({
      kernel: '5.4.0-42-generic',
      sources: [
        { source: 'local', answer: expect.stringContaining('CORELO_LOCAL_KERNEL') }, { source: 'upload', answer: 'no upload has this name' }
      ]
    })
    expect(error.details['nearest']).toEqual([
      'ubuntu/20.04/x86_64/5.4.0-40-generic', 'ubuntu/20.04/x86_64/5.4.0-47-generic', 'ubuntu/20.04/x86_64/5.15.0-1-generic',
      'ubuntu/20.04/x86_64/4.18.0'
    ])
    await failure('invalid_request', relocate(service, { kernel: undefined as never, btf: [] }))
  })

  it('never means another kernel, however near', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    await failure('kernel_unknown', relocate(service, { kernel: { ...UBUNTU, arch: 'arm64' } }))
    await failure('kernel_unknown', relocate(service, { kernel: { release: UBUNTU.release, distro: 'debian' } }))
  })
})

describe('an upload', () => {
  it('answers for its hash only, unless uploads are trusted', async () => {
    const service = await startService(await temporaryFolder(), { trustUploads: false })
    const { entry } = await put(service, fooBtf())
    for (const kernel of [UBUNTU, { release: UBUNTU.release }]) {
      const error = await failure('kernel_unknown', relocate(service, { kernel }))
      expect(error.details['sources']).toContainEqual({ source: 'upload', answer: expect.stringContaining('CORELO_TRUST_UPLOADS') })
      expect(error.details['nearest']).toEqual([])
    }
    expect(await relocate(service, { btfSha256: entry.btfSha256 })).toMatchObject({ kernel: null, source: 'upload' })
    expect(await relocate(service, { btfSha256: entry.btfSha256, kernel: UBUNTU })).toMatchObject({
      kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic'
    })
  })

  it('is stored once, and beside it any number of others under its name', async () => {
    const service = await startService(await temporaryFolder())
    const first = await put(service, fooBtf())
    expect(first).toMatchObject({
      created: true, entry: { reference: UBUNTU, bytes: fooBtf().length, types: 11, source: 'upload', provenance: BY_NODE, modules: [] }
    })
    expect(await put(service, fooBtf(), {}, { by: 'node-2' })).toEqual({ ...first, created: false })
    const second = await put(service, emptyBtf())
    expect(second).toMatchObject({ created: true, btfSha256: sha256(emptyBtf()) })
    const { kernels } = await service.listKernels({ limit: 10 })
    expect(kernels.map(kernel => kernel.state === 'held' && kernel.btfSha256).sort()).toEqual([first.btfSha256, second.btfSha256].sort())
    for (const call of [service.getKernelBtf(UBUNTU), service.getKernel(UBUNTU), relocate(service, { kernel: UBUNTU })]) {
      expect((await failure('kernel_ambiguous', call)).details['candidates']).toHaveLength(2)
    }
    expect(offsetOfY(await relocate(service, { btfSha256: first.btfSha256 }))).toBe(12)
  })

  it('of two at once under one name, both are kept, also after a restart', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder, { workers: 2 })
    await Promise.all([put(service, fooBtf(1)), put(service, fooBtf(2))])
    await service.close()
    const again = await startService(folder)
    for (const serial of [1, 2]) {
      expect((await relocate(again, { btfSha256: sha256(fooBtf(serial)) })).btfSha256).toBe(sha256(fooBtf(serial)))
    }
    await failure('kernel_ambiguous', relocate(again))
  })

  it('of junk under a name or the name of a module keeps nobody out', async () => {
    const service = await startService(await temporaryFolder(), { trustUploads: false })
    const base = btf()
    const { int } = integers(base)
    const split = (offset: number) => {
      const module = btf({ base })
      module.struct('foo', 32, [at('y', offset, int)])
      return module.bytes()
    }
    const { btfSha256 } = await put(service, emptyBtf(), {}, { by: 'squatter' })
    expect((await put(service, base.bytes())).created).toBe(true)
    const squatted = await service.putKernelBtf(UBUNTU, split(16), BY_NODE, 'xfs', { extends: sha256(base.bytes()) })
    expect(await service.putKernelBtf(UBUNTU, split(20), BY_NODE, 'xfs', { extends: sha256(base.bytes()) })).toMatchObject({
      created: true, btfSha256: sha256(split(20))
    })
    await failure('kernel_ambiguous', service.putKernelBtf(UBUNTU, split(20), BY_NODE, 'xfs'))
    await failure('btf_unknown', service.putKernelBtf(UBUNTU, split(20), BY_NODE, 'xfs', { extends: sha256('nothing') }))
    const answer = await relocate(service, { btfSha256: sha256(base.bytes()), moduleSha256s: [sha256(split(20))] })
    expect(offsetOfY(answer)).toBe(20)
    expect([squatted.entry.modules.length, btfSha256]).toEqual([1, sha256(emptyBtf())])
  })

  it('may be an ELF file, whose .BTF is what is stored', async () => {
    const service = await startService(await temporaryFolder())
    const { elf, SHT } = await import('../../support/elf-writer.js')
    const file = elf({ machine: 62, sections: [{ name: '.BTF', type: SHT.PROGBITS, data: fooBtf() }] }).bytes
    const { entry } = await put(service, file)
    expect(entry.btfSha256).toBe(sha256(fooBtf()))
    expect(await service.getBtf(entry.btfSha256)).toEqual(fooBtf())
  })

  it('is no eBPF object, which is told what it is', async () => {
    const service = await startService(await temporaryFolder())
    expect((await failure('btf_invalid', put(service, fooObject()))).message).toMatch(/^The file is an eBPF object \(machine 247\)/)
    await failure('btf_invalid', relocate(service, { btf: [fooObject()] }))
  })

  it('is refused where it is no BTF, too large, or has a name that could be a path', async () => {
    const service = await startService(await temporaryFolder(), { maxBtfBytes: 10_000 })
    await failure('btf_invalid', put(service, new Uint8Array(100)))
    await failure('too_large', put(service, new Uint8Array(10_001)))
    for (const release of ['..', '.', '', 'a/b', 'a b', 'x'.repeat(129), 'a\0']) {
      await failure('invalid_request', put(service, fooBtf(), { release }))
    }
    await put(service, fooBtf())
    for (const module of ['vmlinux', '../x']) await failure('invalid_request', service.putKernelBtf(UBUNTU, fooBtf(), BY_NODE, module))
    await failure('kernel_unknown', service.putKernelBtf({ ...UBUNTU, release: '1.0' }, fooBtf(), BY_NODE, 'mod'))
  })
})

describe('the list of kernels', () => {
  it('comes in pages, filtered, in a stable order', async () => {
    const service = await startService(await temporaryFolder())
    for (const changes of [
      { release: '5.3' }, { release: '5.1' }, { release: '5.2' }, { arch: 'aarch64', release: '5.1' },
      { distro: 'debian', distroVersion: '12' }
    ]) await put(service, fooBtf(), changes)
    const names = (page: Awaited<ReturnType<typeof service.listKernels>>) =>
      page.kernels.map(({ reference }) => `${reference.distro}/${reference.arch}/${reference.release}`)
    const first = await service.listKernels({ limit: 2 })
    const second = await service.listKernels({ limit: 2, cursor: first.nextCursor ?? '' })
    const third = await service.listKernels({ limit: 2, cursor: second.nextCursor ?? '' })
    expect([...names(first), ...names(second), ...names(third)]).toEqual([
      'debian/x86_64/5.4.0-42-generic', 'ubuntu/arm64/5.1', 'ubuntu/x86_64/5.1', 'ubuntu/x86_64/5.2', 'ubuntu/x86_64/5.3'
    ])
    expect(third.nextCursor).toBeNull()
    expect(names(await service.listKernels({ limit: 9, release: '5.1', arch: 'aarch64' }))).toEqual(['ubuntu/arm64/5.1'])
    expect((await service.listKernels({ limit: 5 })).nextCursor).toBeNull()
    await failure('invalid_request', service.listKernels({ limit: 2, cursor: 'x' }))
    await failure('kernel_unknown', service.getKernel({ ...UBUNTU, release: '9.9' }))
  })
})

describe('the running kernel', () => {
  const kernel = async () => {
    const folder = await temporaryFolder()
    const hostRoot = await temporaryFolder()
    await mkdir(join(hostRoot, 'etc'))
    await writeFile(join(hostRoot, 'etc/os-release'), 'ID="flatcar"\nVERSION_ID=4000.1\n')
    await writeFile(join(folder, 'vmlinux'), fooBtf())
    return { kernelBtfDir: folder, hostRoot, localKernel: true, trustUploads: false }
  }
  const reference = { distro: 'flatcar', distroVersion: '4000.1', arch: normalizeArch(machine()), release: release() }

  it('answers for its name, from its own files, before anyone has uploaded anything', async () => {
    const settings = await kernel()
    const service = await startService(await temporaryFolder(), settings)
    const answer = await relocate(service, { kernel: { release: release() } })
    expect(answer).toMatchObject({ kernel: `flatcar/4000.1/${reference.arch}/${release()}`, source: 'local', btfSha256: sha256(fooBtf()) })
    expect(offsetOfY(answer)).toBe(12)
    expect(await service.getKernel(reference)).toMatchObject({
      source: 'local', provenance: { by: join(settings.kernelBtfDir, 'vmlinux') }
    })
  })

  it('is found by its build-id alone, which contradicts any other name', async () => {
    const settings = await kernel()
    const kernelBtfDir = join(settings.kernelBtfDir, 'btf')
    await mkdir(kernelBtfDir)
    await writeFile(join(kernelBtfDir, 'vmlinux'), fooBtf())
    await writeFile(join(settings.kernelBtfDir, 'notes'), buildIdNote(BUILD_ID))
    const service = await startService(await temporaryFolder(), { ...settings, kernelBtfDir, trustUploads: true })
    const name = `flatcar/4000.1/${reference.arch}/${release()}`
    expect(await relocate(service, { kernel: undefined, buildId: BUILD_ID })).toMatchObject({ kernel: name, buildId: BUILD_ID })
    await put(service, emptyBtf())
    await failure('kernel_ambiguous', relocate(service, { kernel: UBUNTU, buildId: BUILD_ID }))
    const other = BUILD_ID.replace('2', '3')
    expect((await failure('kernel_unknown', relocate(service, { kernel: reference, buildId: other }))).message)
      .toContain(`It is held as another build (build-id ${BUILD_ID}) than the one that is meant (build-id ${other})`)
  })

  it('wins over what was uploaded under its name', async () => {
    const cacheDir = await temporaryFolder()
    const before = await startService(cacheDir, { trustUploads: true })
    await before.putKernelBtf(reference, emptyBtf(), BY_NODE)
    await before.close()
    const service = await startService(cacheDir, await kernel())
    expect(offsetOfY(await relocate(service, { kernel: reference }))).toBe(12)
    expect(await service.putKernelBtf(reference, emptyBtf(), BY_NODE)).toMatchObject({ created: false, entry: { source: 'upload' } })
    expect(offsetOfY(await relocate(service, { kernel: reference }))).toBe(12)
    expect(await service.putKernelBtf(reference, fooBtf(), BY_NODE)).toMatchObject({ created: false, entry: { source: 'local' } })
  })

  it('shows its modules, also those loaded later', async () => {
    const settings = await kernel()
    const base = btf()
    const { int } = integers(base)
    await writeFile(join(settings.kernelBtfDir, 'vmlinux'), base.bytes())
    const split = btf({ base })
    split.struct('foo', 32, [at('y', 20, int)])
    await writeFile(join(settings.kernelBtfDir, 'early'), split.bytes())
    await writeFile(join(settings.kernelBtfDir, 'broken'), new Uint8Array(50))
    const service = await startService(await temporaryFolder(), settings)
    expect(offsetOfY(await relocate(service, { kernel: reference, modules: ['early'] }))).toBe(20)
    const later = btf({ base })
    later.struct('foo', 32, [at('y', 24, int)])
    await writeFile(join(settings.kernelBtfDir, 'late'), later.bytes())
    expect(offsetOfY(await relocate(service, { kernel: reference, modules: ['late'] }))).toBe(24)
    expect((await service.getKernel(reference)).modules.map(({ name, source }) => `${name} ${source}`)).toEqual([
      'early local', 'late local'
    ])
    await failure('btf_unknown', relocate(service, { kernel: reference, modules: ['broken'] }))
  })

  it('is read from the kernel again when its copy is gone from memory and disk', async () => {
    const cacheDir = await temporaryFolder()
    const service = await startService(cacheDir, { ...await kernel(), memoryBytes: 1 })
    const { rm } = await import('node:fs/promises')
    await rm(cacheDir, { recursive: true, maxRetries: 10 })
    expect(offsetOfY(await relocate(service, { kernel: reference }))).toBe(12)
  })

  it('may show no BTF, or BTF that cannot be used; the service serves the others', async () => {
    const settings = await kernel()
    await writeFile(join(settings.kernelBtfDir, 'vmlinux'), 'not BTF at all, but long enough to look at')
    const broken = await startService(await temporaryFolder(), settings)
    expect(broken.warnings.join()).toContain("The running kernel's BTF cannot be used.")
    expect((await failure('kernel_unknown', relocate(broken))).details['sources']).toContainEqual({
      source: 'local', answer: expect.stringContaining('cannot be used')
    })
    const none = await startService(await temporaryFolder(), { ...settings, kernelBtfDir: join(settings.kernelBtfDir, 'nowhere') })
    expect((await failure('kernel_unknown', relocate(none))).details['sources']).toContainEqual({
      source: 'local', answer: expect.stringContaining('shows no BTF')
    })
  })
})

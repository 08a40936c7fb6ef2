import { mkdir, rename, writeFile } from 'node:fs/promises'
import { release, version } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRunningKernel, listRunningModules } from '../../../src/identity/running-kernel.js'
import { buildIdNote } from '../../support/elf-note.js'
import { temporaryFolder } from '../service/lab.js'

const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'

async function host (osRelease: string | undefined, path = 'etc/os-release'): Promise<{ kernelBtfDir: string, hostRoot: string }> {
  const hostRoot = await temporaryFolder()
  const kernelBtfDir = await temporaryFolder()
  if (osRelease !== undefined) {
    await mkdir(join(hostRoot, path, '..'), { recursive: true })
    await writeFile(join(hostRoot, path), osRelease)
  }
  await writeFile(join(kernelBtfDir, 'vmlinux'), 'BTF')
  return { kernelBtfDir, hostRoot }
}

describe('the running kernel', () => {
  it.each([
    ['the host\'s os-release', 'ID=ubuntu\nVERSION_ID="22.04"\n', 'etc/os-release', 'ubuntu', '22.04'],
    ['the one in /usr/lib', 'ID=ubuntu\nVERSION_ID="22.04"\n', 'usr/lib/os-release', 'ubuntu', '22.04'],
    ['a codename where there is no number', 'ID=debian\nVERSION_CODENAME=trixie\n', 'etc/os-release', 'debian', 'trixie'],
    ['no version at all', 'ID=arch\n', 'etc/os-release', 'arch', 'rolling'],
    ['names that a reference cannot hold', 'ID="a/b"\nVERSION_ID=".."\n', 'etc/os-release', 'a-b', 'unknown']
  ])('is named by %s', async (_, text, path, distro, distroVersion) => {
    const options = await host(text, path)
    expect(await findRunningKernel(options)).toMatchObject({
      reference: { distro, distroVersion, release: release() }, kernelVersion: version(), btfPath: join(options.kernelBtfDir, 'vmlinux')
    })
  })

  it('has no name where there is no os-release of the host, which says what to mount', async () => {
    const options = await host(undefined)
    const running = await findRunningKernel(options)
    expect(running).toMatchObject({
      reference: undefined, release: release(), problem: expect.stringContaining(`There is no os-release below ${options.hostRoot}`)
    })
    expect(running?.problem).toContain("mount the host's root read-only at /host")
    const given = { distro: 'debian', distroVersion: '12' }
    expect(await findRunningKernel({ ...options, given })).toMatchObject({
      reference: { ...given, release: release() }, problem: undefined
    })
  })

  it('has the build-id of the notes beside its BTF, where it shows any', async () => {
    const { kernelBtfDir, hostRoot } = await host('ID=debian\nVERSION_ID=12\n')
    const btf = join(kernelBtfDir, 'btf')
    await mkdir(btf)
    await rename(join(kernelBtfDir, 'vmlinux'), join(btf, 'vmlinux'))
    const options = { kernelBtfDir: btf, hostRoot }
    expect(await findRunningKernel(options)).toMatchObject({ buildId: undefined })
    await writeFile(join(kernelBtfDir, 'notes'), buildIdNote(BUILD_ID))
    expect(await findRunningKernel(options)).toMatchObject({ buildId: BUILD_ID })
  })

  it('is none where the kernel shows no BTF', async () => {
    const folder = await temporaryFolder()
    expect(await findRunningKernel({ kernelBtfDir: folder })).toBeUndefined()
    await mkdir(join(folder, 'vmlinux'))
    expect(await findRunningKernel({ kernelBtfDir: folder })).toBeUndefined()
  })

  it('lists its modules in the order of loading, those of unknown order last', async () => {
    const folder = await temporaryFolder()
    for (const name of ['vmlinux', 'btrfs', 'xfs', 'zram', 'built_later']) await writeFile(join(folder, name), '')
    const procModules = join(folder, 'modules')
    await writeFile(procModules, 'xfs 2000 0 - Live 0x0\nzram 100 1 - Live 0x0\nbtrfs 300 0 - Live 0x0\n')
    const modules = await listRunningModules(folder, procModules)
    expect(modules.map(({ name, loadOrder }) => [name, loadOrder])).toEqual([
      ['btrfs', 0], ['zram', 1], ['xfs', 2], ['built_later', undefined], ['modules', undefined]
    ])
    expect(await listRunningModules(join(folder, 'nowhere'), join(folder, 'nothing'))).toEqual([])
  })
})

import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { machine, release } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { normalizeArch } from '../../src/identity/arch.js'
import { sha256 } from '../../src/store/sha256.js'
import { cleanUpAfterAll, putKernel, startService, type Service } from '../agent/support.js'
import { corelo, EXEC, removeFoldersAfterEach, ROOT, SAMPLE, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()
const cleanup = cleanUpAfterAll()

const PACKED = join(ROOT, 'test/fixtures/extraction/packed')
const DEB = join(PACKED, 'linux-image.xz.deb')
const RPM = join(PACKED, 'kernel-core.w6.zstdio.rpm')
const UBUNTU = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const NAMES = ['--distro', 'ubuntu', '--distro-version', '20.04', '--arch', 'x86_64', '--release', '5.4.0-42-generic']

function cache (folder: string) {
  const env = { CORELO_CACHE_DIR: join(folder, 'cache') }
  return {
    btf: async (...args: string[]) => await corelo(['btf', ...args], { env }),
    run: async (...args: string[]) => await corelo(args, { env }),
    list: async () => (JSON.parse((await corelo(['btf', 'list', '--json'], { env })).stdout.toString()) as {
      kernels: Array<{ reference: string, btf_sha256: string, source: string, modules: unknown[] }>
    }).kernels,
    content: (hash: string) => readFileSync(join(folder, 'cache/content/btf', hash.slice(7, 9), hash.slice(7)))
  }
}

describe('corelo btf import', () => {
  it('takes kernels and modules out of packages, and they answer for their names', async () => {
    const { btf, list, content, run } = cache(temporaryFolder())
    const { code, stdout, stderr } = await btf('import', DEB, RPM)
    expect(stderr).toContain('2 kernels with 2 modules imported or held')
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(/^debian\/12\/x86_64\/6\.1\.0-50-amd64 +sha256:[0-9a-f]{12} +\d+ +1 +new$/m)
    expect(await list()).toMatchObject([
      {
        reference: 'debian/12/x86_64/6.1.0-50-amd64',
        source: 'import',
        provenance: { kernel_version: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)' },
        modules: [{ name: 'snd_demo', btf_sha256: sha256(readFileSync(join(PACKED, 'snd-demo.btf'))) }]
      },
      { reference: 'fedora/31/x86_64/5.8.18-100.fc31.x86_64', modules: [{ name: 'snd_demo' }] }
    ])
    expect(content((await list())[0]?.btf_sha256 ?? '').equals(readFileSync(join(PACKED, 'vmlinux.btf')))).toBe(true)
    expect((await run('relocate', EXEC, '--kernel', '6.1.0-50-amd64', '--modules', 'snd_demo', '--json')).stdout.toString())
      .toContain('"reference": "debian/12/x86_64/6.1.0-50-amd64"')
    expect((await btf('import', DEB)).stdout.toString()).toMatch(/ held$/m)
  })

  it('says that no node asks for a distribution by that name, and which is meant, and takes it all the same', async () => {
    const { btf, list } = cache(temporaryFolder())
    const names = ['--distro-version', '12', '--arch', 'x86_64', '--release', '6.1']
    const strange = await btf('import', SAMPLE, '--distro', 'Debian', ...names)
    expect(strange).toMatchObject({ code: 0, stderr: expect.stringMatching(/^note: no node asks for kernels of Debian.*--distro debian\?$/m) })
    expect((await btf('import', SAMPLE, '--distro', 'debian', ...names)).stderr).not.toContain('note:')
    expect((await list()).map(({ reference }) => reference)).toEqual(['Debian/12/x86_64/6.1', 'debian/12/x86_64/6.1'])
  })

  it('joins modules with their kernel in whichever order they come', async () => {
    const { btf, list } = cache(temporaryFolder())
    expect((await btf('import', join(PACKED, 'snd-demo.ko'), '--distro', 'debian', '--distro-version', '12')).stderr)
      .toContain('neither held nor among what was given')
    const both = ['snd-demo.ko', 'vmlinux.x86.xz'].map(name => join(PACKED, name))
    expect((await btf('import', ...both, '--distro', 'debian', '--distro-version', '12')).code).toBe(0)
    expect(await list()).toMatchObject([{ reference: 'debian/12/x86_64/6.1.0-50-amd64', modules: [{ name: 'snd_demo' }] }])
  })

  it('takes a tree of BTFHub, with the junk that is in it', async () => {
    const folder = temporaryFolder()
    const { btf, list } = cache(folder)
    const tree = join(folder, 'archive')
    for (const place of ['ubuntu/20.04/x86_64', 'myos/1/arm64', '1/x86_64', '.git']) mkdirSync(join(tree, place), { recursive: true })
    const archive = join(PACKED, '5.4.0-42-generic.btf.tar.xz')
    copyFileSync(archive, join(tree, `${UBUNTU}.btf.tar.xz`))
    copyFileSync(join(PACKED, 'vmlinux.btf'), join(tree, 'myos/1/arm64/6.1.btf'))
    copyFileSync(archive, join(tree, '1/x86_64/5.4.0-42-generic.btf.tar.xz'))
    copyFileSync(archive, join(tree, '.git/pack.btf.tar.xz'))
    writeFileSync(join(tree, 'ubuntu/20.04/x86_64/5.4.0-43-generic.btf.tar.xz'), readFileSync(archive).subarray(0, 300))
    copyFileSync(archive, join(tree, 'ubuntu/20.04/x86_64/5.4.0-44-generic.btf.tar.xz'))
    writeFileSync(join(tree, 'README.md'), 'Archive')
    symlinkSync('20.04', join(tree, 'ubuntu/focal'))
    const { code, stderr } = await btf('import', tree)
    expect(code).toBe(1)
    expect((await list()).map(({ reference }) => reference)).toEqual(['myos/1/arm64/6.1', UBUNTU])
    expect(stderr).toContain('1 other file was passed over')
    expect(stderr).toMatch(/5\.4\.0-43-generic\.btf\.tar\.xz: The file is cut off/)
    expect(stderr).toMatch(
      /5\.4\.0-44-generic\.btf\.tar\.xz: The archive has the BTF of another kernel: 5\.4\.0-42-generic\.btf, not 5\.4\.0-44-generic\.btf/
    )
    expect(stderr).toMatch(/1\/x86_64\/.*give --arch … --distro/)
  })

  it('names every path that is not there, and takes nothing of the others', async () => {
    const { btf, list } = cache(temporaryFolder())
    const { code, stderr } = await btf('import', join(PACKED, 'vmlinux.btf'), '/no/a', '/no/b', ...NAMES)
    expect(code).toBe(3)
    expect(stderr).toMatch(/^corelo: Nothing was imported: 2 paths cannot be read:\n\/no\/a .*no such file.*\n\/no\/b .*\n$/)
    expect(await list()).toEqual([])
  })

  it('guesses nothing: what has no name is not imported until somebody names it', async () => {
    const { btf, list } = cache(temporaryFolder())
    const unnamed = await btf('import', join(PACKED, 'vmlinux.btf'))
    expect(unnamed.code).toBe(3)
    expect(unnamed.stderr).toContain('give --release … --arch … --distro … --distro-version …')
    expect(await list()).toEqual([])
    expect((await btf('import', join(PACKED, 'vmlinux.btf'), ...NAMES)).code).toBe(0)
    expect(await list()).toMatchObject([{ reference: UBUNTU }])
  })

  it.skipIf(!existsSync('/sys/kernel/btf/vmlinux'))('names the BTF that the running kernel shows', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'etc'))
    writeFileSync(join(folder, 'etc/os-release'), 'ID=acme\nVERSION_ID=1\n')
    const env = { CORELO_CACHE_DIR: join(folder, 'cache'), CORELO_HOST_ROOT: folder }
    const { code, stdout } = await corelo(['btf', 'import', '/sys/kernel/btf/vmlinux', '--json'], { env })
    expect(code).toBe(0)
    expect(JSON.parse(stdout.toString())).toMatchObject({
      kernels: [{
        reference: `acme/1/${normalizeArch(machine())}/${release()}`, btf_sha256: sha256(readFileSync('/sys/kernel/btf/vmlinux'))
      }]
    })
  })

  it('refuses other BTF for a kernel that is held, unless it is told to replace it', async () => {
    const { btf, list } = cache(temporaryFolder())
    await btf('import', join(PACKED, 'vmlinux.btf'), ...NAMES)
    const refused = await btf('import', SAMPLE, ...NAMES)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('--replace')
    expect((await btf('import', SAMPLE, ...NAMES, '--replace')).stdout.toString()).toMatch(/ replaced$/m)
    expect(await list()).toMatchObject([{ btf_sha256: sha256(readFileSync(SAMPLE)) }])
  })

  it('approves an upload: from then on it answers for its name, in a service that runs on that cache', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    const { url } = await startService(cleanup, { folder, hasSample: false, settings: { CORELO_TRUST_UPLOADS: 'false' } })
    await putKernel(url, UBUNTU, readFileSync(SAMPLE))
    const ask = async (): Promise<Response> => {
      const body = new FormData()
      body.append('object', new Blob([readFileSync(EXEC)]), 'exec.bpf.o')
      body.append('kernel_release', UBUNTU)
      return await fetch(`${url}/relocate`, { method: 'POST', body })
    }
    const refused = await (await ask()).json()
    expect(refused).toMatchObject({ status: 404, code: 'kernel_unknown', detail: expect.stringContaining('corelo btf import') })
    expect((await btf('import', SAMPLE, ...NAMES)).stdout.toString()).toMatch(/ approved$/m)
    expect((await ask()).status).toBe(200)
  })

  it('says of a kernel without BTF that it has none, and of one with DWARF what would make some', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    expect((await btf('import', join(PACKED, 'vmlinux.nobtf'))).stderr)
      .toContain('This kernel was built without BTF (no CONFIG_DEBUG_INFO_BTF).')
    const { stderr } = await corelo(['btf', 'import', join(PACKED, 'vmlinux.debug')], {
      env: { PATH: folder, CORELO_CACHE_DIR: join(folder, 'cache') }
    })
    expect(stderr).toMatch(/has DWARF and no BTF\. BTF can be made of it by pahole/)
  })

  it('with --modules none reads no module, and minds none that cannot be read', async () => {
    const folder = temporaryFolder()
    const module = readFileSync(join(PACKED, 'snd-demo.ko'))
    const broken = Buffer.from(module).fill(0xff, 16, 64) // all of the ELF header but what tells that it is one
    const deb = readFileSync(join(PACKED, 'linux-image.none.deb'))
    const at = deb.indexOf(module)
    expect(at).toBeGreaterThan(0)
    broken.copy(deb, at)
    const tree = join(folder, 'tree')
    const [modules, boot] = [join(tree, 'lib/modules/6.1.0-50-amd64/kernel'), join(tree, 'boot')]
    for (const place of [modules, boot]) mkdirSync(place, { recursive: true })
    writeFileSync(join(modules, 'snd-demo.ko'), broken)
    writeFileSync(join(modules, 'snd-other.ko.xz'), 'no archive')
    copyFileSync(join(PACKED, 'vmlinux'), join(boot, 'vmlinux-6.1.0-50-amd64'))
    const damaged = join(folder, 'damaged.deb')
    writeFileSync(damaged, deb)
    for (const path of [damaged, tree]) {
      const all = cache(join(folder, `all of ${basename(path)}`))
      const read = await all.btf('import', path, '--distro', 'debian', '--distro-version', '12')
      expect([read.code, read.stderr]).toEqual([1, expect.stringContaining('snd-demo.ko')])
      const none = cache(join(folder, `none of ${basename(path)}`))
      const { code, stderr } = await none.btf('import', path, '--distro', 'debian', '--distro-version', '12', '--modules', 'none')
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('not imported')])
      expect(await none.list()).toMatchObject([{ reference: 'debian/12/x86_64/6.1.0-50-amd64', modules: [] }])
    }
  })

  it('says that the name does not answer where the service does not trust uploads, and what does', async () => {
    const [strict, trusting] = await Promise.all(['false', 'true'].map(trusts =>
      startService(cleanup, { hasSample: false, settings: { CORELO_TRUST_UPLOADS: trusts } }))) as [Service, Service]
    const name = 'debian/12/x86_64/6.1.0-50-amd64'
    const hash = sha256(readFileSync(join(PACKED, 'vmlinux.btf')))
    const statusOf = async ({ url }: Service, query: string): Promise<number> =>
      (await fetch(`${url}/relocate?${query}`, {
        method: 'POST', body: readFileSync(EXEC), headers: { 'content-type': 'application/x-elf' }
      })).status
    for (const service of [strict, trusting]) {
      const { code, stderr } = await corelo(['btf', 'import', DEB, '--server', service.url])
      expect(code).toBe(0)
      expect(stderr).toContain(
        `note: ${name} is an upload there. Unless the service trusts uploads (CORELO_TRUST_UPLOADS=true), its name does not answer; ` +
        `name it with btf_sha256=${hash}, or import it on the service's own cache.`
      )
    }
    expect(await statusOf(strict, `kernel_release=${name}`)).toBe(404)
    expect(await statusOf(strict, `btf_sha256=${hash}`)).toBe(200)
    expect(await statusOf(trusting, `kernel_release=${name}`)).toBe(200)
  })

  it('uploads to a service instead, kernel first', async () => {
    const puts: string[] = []
    const server = createServer((request, response) => {
      puts.push(`${request.method} ${request.url}`)
      request.resume().on('end', () => { response.writeHead(201, { 'content-type': 'application/json' }).end('{}') })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { code } = await corelo(['btf', 'import', DEB, '--server', `http://127.0.0.1:${(server.address() as AddressInfo).port}`], {
      isAlone: true
    })
    server.close()
    expect(code).toBe(0)
    expect(puts).toEqual([
      'PUT /kernels/debian/12/x86_64/6.1.0-50-amd64/btf?kernel_version=%231%20SMP%20PREEMPT_DYNAMIC%20Debian%206.1.176-1%20(2026-07-02)',
      expect.stringMatching(/^PUT \/kernels\/debian\/12\/x86_64\/6\.1\.0-50-amd64\/btf\/snd_demo\?btf_sha256=sha256%3A[0-9a-f]{64}$/)
    ])
  })

  it('tells wrong use from what it cannot tell', async () => {
    const { btf } = cache(temporaryFolder())
    expect((await btf('import')).code).toBe(2)
    expect((await btf()).code).toBe(2)
    expect((await btf('improt', DEB)).stderr).toContain('did you mean import?')
    expect((await btf('import', '/nowhere.deb')).code).toBe(3)
    expect((await btf('import', '--help')).stdout.toString()).toContain('Usage: corelo btf import PATH... [OPTION...]')
  })
})

describe('corelo btf export', () => {
  it.each([
    'bundle.tar', 'bundle.tar.gz'
  ])('packs kernels and modules into %s, which another cache takes with every hash checked', async name => {
    const folder = temporaryFolder()
    const { btf, list } = cache(folder)
    await btf('import', DEB, RPM)
    const bundle = join(folder, name)
    expect((await btf('export', '*', '-o', bundle)).stderr).toContain('2 kernels with 2 modules')
    const other = cache(join(folder, 'other'))
    expect((await other.btf('import', bundle)).code).toBe(0)
    const facts = (kernels: Awaited<ReturnType<typeof list>>) => kernels.map(({ reference, btf_sha256: hash, modules }) => ({
      reference, hash, modules: modules.length
    }))
    expect(facts(await other.list())).toEqual(facts(await list()))
  })

  it('is noticed where a bundle was altered', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    await btf('import', DEB)
    const bundle = join(folder, 'bundle.tar')
    await btf('export', 'debian/12/*/*', '-o', bundle)
    const bytes = readFileSync(bundle)
    const other = cache(join(folder, 'other'))
    // The manifest says another hash: what the bundle has is then not what was exported.
    const hash = sha256(readFileSync(join(PACKED, 'vmlinux.btf')))
    const at = bytes.indexOf(hash)
    bytes.write('0'.repeat(8), at + 'sha256:'.length)
    writeFileSync(bundle, bytes)
    const { code, stderr } = await other.btf('import', bundle)
    expect(code).toBe(3)
    expect(stderr).toContain('does not have the hash that the manifest of the bundle says')
    expect(await other.list()).toEqual([])
  })

  it('packs objects as relocated for each kernel, to be used without a service', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    await btf('import', SAMPLE, ...NAMES)
    const bundle = join(folder, 'objects.tar.gz')
    expect((await btf('export', '5.4.0-*', '-o', bundle, '--object', EXEC)).stdout.toString())
      .toMatch(/^exec +ubuntu\/20\.04\/x86_64\/5\.4\.0-42-generic +[a-z]+$/m)
    expect((await btf('import', bundle)).stderr).toContain('--results DIR')
    const results = join(folder, 'results')
    expect((await btf('import', bundle, '--results', results)).code).toBe(0)
    const direct = join(folder, 'direct.o')
    await corelo(['relocate', EXEC, '-b', SAMPLE, '-o', direct])
    expect(readFileSync(join(results, 'exec', `${UBUNTU}.bpf.o`)).equals(readFileSync(direct))).toBe(true)
  })

  it('refuses a kernel that is not held, and leaves no file behind', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    await btf('import', DEB)
    expect((await btf('export', '6.99.0', '-o', join(folder, 'x.tar'))).code).toBe(3)
    cpSync(join(folder, 'cache/index'), join(folder, 'empty/cache/index'), { recursive: true })
    expect((await cache(join(folder, 'empty')).btf('export', '*', '-o', join(folder, 'x.tar'))).stderr).toContain('does not hold its BTF')
    expect(existsSync(join(folder, 'x.tar'))).toBe(false)
  })

  it('says where its bundle, or what is in one, cannot be written', async () => {
    const folder = temporaryFolder()
    const { btf } = cache(folder)
    await btf('import', DEB)
    const nowhere = join(folder, 'no/such/x.tar')
    expect(await btf('export', '*', '-o', nowhere)).toMatchObject({
      code: 3, stderr: `corelo: The result cannot be written to ${nowhere}: there is no such file or directory.\n`
    })
    expect((await btf('export', '*', '-o', join(folder, 'x.tar'), '--object', EXEC)).stderr).toMatch(/x\.tar: 1 relocated object for 1 kernel\n$/)
    expect(await btf('import', join(folder, 'x.tar'), '--results', EXEC)).toMatchObject({
      code: 3, stderr: expect.stringMatching(/The result cannot be written to .+: part of the path is no directory\.\n/)
    })
  })
})

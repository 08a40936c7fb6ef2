import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AppError } from '../../src/errors.js'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { makeRpm, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishRpms, serveFiles, signRpm, type RepositoryServer, type TestKey } from './repositories.js'
import { startWithRepositories } from './service.js'

const VERSION = '6.1.0-57.el9'
const RELEASE = `${VERSION}.x86_64`
const REFERENCE = parseReference(`rocky/9/x86_64/${RELEASE}`)
/** A kernel that no index lists. */
const unknown = (serial: number) => parseReference(`rocky/9/x86_64/6.1.0-${1000 + serial}.el9.x86_64`)
const PACKAGE = `x86_64/kernel-core-${VERSION}.x86_64.rpm`

describeLab('what an rpm repository must not get away with', [...['createrepo_c', 'rpmbuild', 'rpmsign', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1')], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-rpm-refusals-'))
  const good = join(scratch, 'good')
  let kernel: LabKernel
  let key: TestKey
  let stranger: TestKey
  let server: RepositoryServer | undefined
  let service: Service | undefined
  let root = ''
  let count = 0

  beforeAll(() => {
    kernel = readLabKernel('6.1', scratch)
    key = makeKey(scratch, 'archive')
    stranger = makeKey(scratch, 'stranger')
    pack(good, RELEASE, RELEASE)
    publishRpms(good, key, { revision: 2000 })
  }, 300_000)

  afterAll(async () => {
    await stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  const stop = async (): Promise<void> => {
    await service?.close()
    await server?.close()
    service = undefined
    server = undefined
  }

  /** The one package, with a kernel that calls itself `own` where the kernel `place` is expected. */
  const pack = (folder: string, place: string, own: string): void => {
    rmSync(join(folder, 'x86_64'), { recursive: true, force: true })
    const files = { [`lib/modules/${place}/vmlinuz`]: renameKernel(kernel, own, scratch) }
    makeRpm({ name: 'kernel-core', version: VERSION, arch: 'x86_64', files }, folder, join(scratch, `build-${++count}`))
  }
  const rpm = (folder: string): string => join(folder, PACKAGE)
  const withoutSignature = (folder: string): void => { rmSync(join(folder, 'repodata/repomd.xml.asc')) }
  const primary = (folder: string): string => {
    const name = readdirSync(join(folder, 'repodata')).find(file => file.includes('primary.xml'))
    return join(folder, 'repodata', name ?? '')
  }
  const flip = (path: string): void => {
    const bytes = readFileSync(path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100)
    writeFileSync(path, bytes)
  }

  /** A service on a copy of the good repository, which a test spoils before. */
  const start = async (spoil: (folder: string, url: string) => void = () => {}, address = 'url'): Promise<Service> => {
    await stop()
    root = join(scratch, `www-${++count}`)
    cpSync(good, root, { recursive: true })
    server = await serveFiles(root)
    spoil(root, server.url)
    const path = address === 'url' ? '' : '/mirror.list'
    const file = join(scratch, 'repositories.yaml')
    writeFileSync(file, `repositories: [{ type: rpm, name: rocky, distro: rocky, distro_version: "9", ${address}: "${server.url}${path}", arches: [x86_64], key: ${key.publicKey} }]\n`)
    service = await startWithRepositories(file, join(scratch, `cache-${count}`), { fetch: { tries: 1 } }, { catalogMs: 1 })
    return service
  }
  const ask = async (asked: Service, reference = REFERENCE) => await asked.getKernelBtf(reference, undefined, { waitMs: 300_000 })
  const errorOf = async (asked: Service, reference = REFERENCE): Promise<AppError> => {
    const error: unknown = await ask(asked, reference).then(() => undefined, (reason: unknown) => reason)
    if (!(error instanceof AppError)) throw new Error(`It was not refused: ${String(error)}`)
    return error
  }

  it('the good repository is taken, also where only its packages are signed, and where it is in a list of mirrors', async () => {
    expect((await ask(await start())).sha256).toBe(sha256Of(kernel.btf))
    const signed = await start(folder => {
      signRpm(rpm(folder), key)
      publishRpms(folder, undefined)
      withoutSignature(folder)
    })
    expect((await ask(signed)).sha256).toBe(sha256Of(kernel.btf))
    const listed = await start((folder, url) => { writeFileSync(join(folder, 'mirror.list'), `${url}/gone/\n${url}/\n`) }, 'mirror_list')
    expect((await ask(listed)).sha256).toBe(sha256Of(kernel.btf))
  }, 300_000)

  it.each<[string, (folder: string) => void, string, string]>([
    ['an index that is signed by somebody else', folder => { publishRpms(folder, stranger) }, 'source_invalid', 'cannot be trusted: No signature is valid'],
    ['an index that was changed after it was signed', folder => {
      const path = join(folder, 'repodata/repomd.xml')
      writeFileSync(path, readFileSync(path, 'utf8').replace('<revision>2000<', '<revision>2001<'))
    }, 'source_invalid', 'cannot be trusted'],
    ['an index without a signature, with packages without one', withoutSignature, 'source_invalid', 'Neither the package nor the index of its repository is signed'],
    ['an index without a signature, with packages that are signed by somebody else', folder => {
      signRpm(rpm(folder), stranger)
      publishRpms(folder, undefined)
      withoutSignature(folder)
    }, 'source_invalid', 'No signature is valid'],
    ['a package whose content is not what its signed header names', folder => {
      signRpm(rpm(folder), key)
      flip(rpm(folder))
      publishRpms(folder, undefined)
      withoutSignature(folder)
    }, 'source_invalid', 'does not have the hash that its signed header names'],
    ['a primary index that the mirror does not have', folder => { rmSync(primary(folder)) }, 'source_failed', 'although repomd.xml names it; the mirror is out of date'],
    ['a primary index of another version of the mirror', folder => { flip(primary(folder)) }, 'source_invalid', 'the index cannot be used'],
    ['a primary index that is cut off', folder => { writeFileSync(primary(folder), readFileSync(primary(folder)).subarray(0, 200)) }, 'source_invalid', 'the index cannot be used'],
    ['a package that the mirror does not have', folder => { rmSync(rpm(folder)) }, 'source_failed', 'although the index lists it; the mirror is out of date'],
    ['a package that is cut off', folder => { writeFileSync(rpm(folder), readFileSync(rpm(folder)).subarray(0, 5_000_000)) }, 'source_invalid', 'has the SHA-256'],
    ['a package of another content', folder => { flip(rpm(folder)) }, 'source_invalid', 'has the SHA-256'],
    ['a package that is larger than its index says', folder => { writeFileSync(rpm(folder), Buffer.concat([readFileSync(rpm(folder)), Buffer.alloc(1000)])) }, 'source_invalid', 'is larger than is taken'],
    ['another kernel inside', folder => {
      pack(folder, RELEASE, '6.1.0-56.el9.x86_64')
      publishRpms(folder, key)
    }, 'source_invalid', `calls itself 6.1.0-56.el9.x86_64, not ${RELEASE}`],
    ['no kernel inside', folder => {
      pack(folder, '6.1.0-56.el9.x86_64', '6.1.0-56.el9.x86_64')
      publishRpms(folder, key)
    }, 'source_invalid', `There is no kernel ${RELEASE} in kernel-core. It has 6.1.0-56.el9.x86_64; `]
  ])('%s is refused with its reason, and nothing is kept', async (_what, spoil, code, message) => {
    const asked = await start(spoil)
    const error = await errorOf(asked)
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringContaining(message) })
    expect((await asked.listKernels({ limit: 100 })).kernels.filter(({ state }) => state === 'held')).toEqual([])
  }, 120_000)

  it.each<[string, (folder: string) => void, string]>([
    ['is older than the one that was seen before', folder => { publishRpms(folder, key, { revision: 1000 }) }, 'has revision 1000, older than the 2000 that was seen before'],
    ['is not signed any more', folder => {
      publishRpms(folder, undefined, { revision: 3000 })
      withoutSignature(folder)
    }, 'has no signature any more, although it had one before']
  ])('an index that %s is refused, and what was known still answers', async (_what, spoil, message) => {
    const asked = await start()
    expect((await errorOf(asked, unknown(0))).code).toBe('kernel_unknown')
    spoil(root)
    // A look at the index that began before still finds what was there. What is said of a name is remembered, so each try has another.
    let tries = 0
    await expect.poll(async () => (await errorOf(asked, unknown(++tries))).message).toContain(message)
    expect((await ask(asked)).sha256).toBe(sha256Of(kernel.btf))
  }, 120_000)

  it('a redirect within the mirror is followed, and one to a private address is not', async () => {
    const asked = await start(folder => { cpSync(join(folder, 'x86_64'), join(folder, 'moved/x86_64'), { recursive: true }) })
    let isFollowed = false
    if (server !== undefined) {
      server.intercept = (_request, response, path) => {
        if (!path.startsWith('/x86_64')) return false
        response.writeHead(302, { location: isFollowed ? `/moved${path}` : 'http://10.0.0.1/x.rpm' }).end()
        return true
      }
    }
    expect((await errorOf(asked)).message).toContain('redirects to 10.0.0.1, which is not a public address')
    isFollowed = true
    expect((await ask(await restart())).sha256).toBe(sha256Of(kernel.btf))
  }, 120_000)

  /** The same without what it remembers of refusals. */
  const restart = async (): Promise<Service> => {
    await service?.close()
    service = await startWithRepositories(join(scratch, 'repositories.yaml'), join(scratch, `cache-${++count}`), { fetch: { tries: 1 } }, { catalogMs: 1 })
    return service
  }
})

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { makeRpm, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishRpms, signRpm, type TestKey } from './repositories.js'
import { ask, refusalOf, startWithRepositories } from './service.js'
import { cutOff, enlarge, flipBit, heldBy, redirect, serveCopies, type Copy } from './spoilt.js'

const VERSION = '6.1.0-57.el9'
const RELEASE = `${VERSION}.x86_64`
const REFERENCE = parseReference(`rocky/9/x86_64/${RELEASE}`)
/** A kernel that no index lists. */
const unknown = (serial: number) => parseReference(`rocky/9/x86_64/6.1.0-${1000 + serial}.el9.x86_64`)
const PACKAGE = `x86_64/kernel-core-${VERSION}.x86_64.rpm`

describeLab('what an rpm repository must not get away with', [
  ...['createrepo_c', 'rpmbuild', 'rpmsign', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-rpm-refusals-'))
  const good = join(scratch, 'good')
  let kernel: LabKernel
  let key: TestKey
  let stranger: TestKey
  const copies = serveCopies(good, scratch)

  beforeAll(() => {
    kernel = readLabKernel('6.1', scratch)
    key = makeKey(scratch, 'archive')
    stranger = makeKey(scratch, 'stranger')
    pack(good, RELEASE, RELEASE)
    publishRpms(good, key, { revision: 2000 })
  }, 300_000)

  afterAll(async () => {
    await copies.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  /** The one package, with a kernel that calls itself `own` where the kernel `place` is expected. */
  const pack = (folder: string, place: string, own: string): void => {
    rmSync(join(folder, 'x86_64'), { recursive: true, force: true })
    const files = { [`lib/modules/${place}/vmlinuz`]: renameKernel(kernel, own, scratch) }
    makeRpm({ name: 'kernel-core', version: VERSION, arch: 'x86_64', files }, folder, mkdtempSync(join(scratch, 'build-')))
  }
  const rpm = (folder: string): string => join(folder, PACKAGE)
  const withoutSignature = (folder: string): void => { rmSync(join(folder, 'repodata/repomd.xml.asc')) }
  const primary = (folder: string): string => {
    const name = readdirSync(join(folder, 'repodata')).find(file => file.includes('primary.xml'))
    return join(folder, 'repodata', name ?? '')
  }

  /** A service of which nothing is remembered, on the copy that is served. */
  const startOn = async (file: string): Promise<Service> =>
    await copies.use(() => startWithRepositories(file, mkdtempSync(join(scratch, 'cache-')), { fetch: { tries: 1 } }, { catalogMs: 1 }))

  /** A service on a copy of the good repository, which a test spoils before. */
  const start = async (spoil: (folder: string, url: string) => void = () => {}, address = 'url'): Promise<Copy & {
    readonly service: Service
    readonly file: string
  }> => {
    const copy = await copies.serve(spoil)
    const mirror = `${address}: "${copy.server.url}${address === 'url' ? '' : '/mirror.list'}"`
    const file = join(scratch, 'repositories.yaml')
    writeFileSync(
      file,
      `repositories: [{ type: rpm, name: rocky, distro: rocky, distro_version: "9", ${mirror}, arches: [x86_64], key: ${key.publicKey} }]\n`
    )
    return { ...copy, file, service: await startOn(file) }
  }

  it('the good repository is taken, also where only its packages are signed, and where it is in a list of mirrors', async () => {
    expect((await ask((await start()).service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
    const signed = await start(folder => {
      signRpm(rpm(folder), key)
      publishRpms(folder, undefined)
      withoutSignature(folder)
    })
    expect((await ask(signed.service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
    const listed = await start((folder, url) => { writeFileSync(join(folder, 'mirror.list'), `${url}/gone/\n${url}/\n`) }, 'mirror_list')
    expect((await ask(listed.service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  }, 300_000)

  it.each<[string, (folder: string) => void, string, string]>([
    [
      'an index that is signed by somebody else', folder => { publishRpms(folder, stranger) }, 'source_invalid',
      'cannot be trusted: No signature is valid'
    ],
    ['an index that was changed after it was signed', folder => {
      const path = join(folder, 'repodata/repomd.xml')
      writeFileSync(path, readFileSync(path, 'utf8').replace('<revision>2000<', '<revision>2001<'))
    }, 'source_invalid', 'cannot be trusted'],
    [
      'an index without a signature, with packages without one', withoutSignature, 'source_invalid',
      'Neither the package nor the index of its repository is signed'
    ],
    ['an index without a signature, with packages that are signed by somebody else', folder => {
      signRpm(rpm(folder), stranger)
      publishRpms(folder, undefined)
      withoutSignature(folder)
    }, 'source_invalid', 'No signature is valid'],
    ['a package whose content is not what its signed header names', folder => {
      signRpm(rpm(folder), key)
      flipBit(rpm(folder))
      publishRpms(folder, undefined)
      withoutSignature(folder)
    }, 'source_invalid', 'does not have the hash that its signed header names'],
    [
      'a primary index that the mirror does not have', folder => { rmSync(primary(folder)) }, 'source_failed',
      'although repomd.xml names it; the mirror is out of date'
    ],
    [
      'a primary index of another version of the mirror', folder => { flipBit(primary(folder)) }, 'source_invalid',
      'the index cannot be used'
    ],
    ['a primary index that is cut off', folder => { cutOff(primary(folder), 200) }, 'source_invalid', 'the index cannot be used'],
    [
      'a package that the mirror does not have', folder => { rmSync(rpm(folder)) }, 'source_failed',
      'although the index lists it; the mirror is out of date'
    ],
    ['a package that is cut off', folder => { cutOff(rpm(folder), 5_000_000) }, 'source_invalid', 'has the SHA-256'],
    ['a package of another content', folder => { flipBit(rpm(folder)) }, 'source_invalid', 'has the SHA-256'],
    ['a package that is larger than its index says', folder => { enlarge(rpm(folder)) }, 'source_invalid', 'is larger than is taken'],
    ['another kernel inside', folder => {
      pack(folder, RELEASE, '6.1.0-56.el9.x86_64')
      publishRpms(folder, key)
    }, 'source_invalid', `calls itself 6.1.0-56.el9.x86_64, not ${RELEASE}`],
    ['no kernel inside', folder => {
      pack(folder, '6.1.0-56.el9.x86_64', '6.1.0-56.el9.x86_64')
      publishRpms(folder, key)
    }, 'source_invalid', `There is no kernel ${RELEASE} in kernel-core. It has 6.1.0-56.el9.x86_64; `]
  ])('%s is refused with its reason, and nothing is kept', async (_what, spoil, code, message) => {
    const { service } = await start(spoil)
    const error = await refusalOf(service, REFERENCE)
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringContaining(message) })
    expect(await heldBy(service)).toEqual([])
  }, 120_000)

  it.each<[string, (folder: string) => void, string]>([
    [
      'is older than the one that was seen before', folder => { publishRpms(folder, key, { revision: 1000 }) },
      'has revision 1000, older than the 2000 that was seen before'
    ],
    ['is not signed any more', folder => {
      publishRpms(folder, undefined, { revision: 3000 })
      withoutSignature(folder)
    }, 'has no signature any more, although it had one before']
  ])('an index that %s is refused, and what was known still answers', async (_what, spoil, message) => {
    const { service, root } = await start()
    expect((await refusalOf(service, unknown(0))).code).toBe('kernel_unknown')
    spoil(root)
    // A look at the index that began before still finds what was there. What is said of a name is remembered, so each try has another.
    let tries = 0
    await expect.poll(async () => (await refusalOf(service, unknown(++tries))).message).toContain(message)
    expect((await ask(service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  }, 120_000)

  it('a redirect within the mirror is followed, and one to a private address is not', async () => {
    const { service, server, file } = await start(
      folder => { cpSync(join(folder, 'x86_64'), join(folder, 'moved/x86_64'), { recursive: true }) }
    )
    redirect(server, path => path.startsWith('/x86_64'), () => 'http://10.0.0.1/x.rpm')
    expect((await refusalOf(service, REFERENCE)).message).toContain('redirects to 10.0.0.1, which is not a public address')
    redirect(server, path => path.startsWith('/x86_64'), path => `/moved${path}`)
    expect((await ask(await startOn(file), REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  }, 120_000)
})

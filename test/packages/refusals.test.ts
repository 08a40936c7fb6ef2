import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AppError } from '../../src/errors.js'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { makeDeb, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishSuite, type TestKey } from './repositories.js'
import { ask, refusalOf, startWithRepositories } from './service.js'
import { cutOff, enlarge, flipBit, heldBy, redirect, serveCopies, type Copy } from './spoilt.js'

const RELEASE = '6.1.0-57-amd64'
const REFERENCE = parseReference(`debian/12/x86_64/${RELEASE}`)
const DAY_MS = 86_400_000
const rfc = (ms: number): string => new Date(ms).toUTCString().replace('GMT', 'UTC')

describeLab('what a package repository must not get away with', [
  ...['apt-ftparchive', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-refusals-'))
  const good = join(scratch, 'good')
  let kernel: LabKernel
  let key: TestKey
  let stranger: TestKey
  const copies = serveCopies(good, scratch)

  beforeAll(() => {
    kernel = readLabKernel('6.1', scratch)
    key = makeKey(scratch, 'archive')
    stranger = makeKey(scratch, 'stranger')
    makeDeb(
      { name: `linux-image-${RELEASE}`, version: '6.1.192-3', arch: 'amd64', files: { [`boot/vmlinuz-${RELEASE}`]: kernel.vmlinuz } },
      join(good, 'pool/bookworm'), scratch, 'zstd'
    )
    publishSuite({ root: good, suite: 'bookworm', component: 'main', arch: 'amd64', key })
  }, 300_000)

  afterAll(async () => {
    await copies.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  interface Started extends Copy {
    readonly service: Service
    readonly file: string
  }

  /** A service on a copy of the good repository, which a test spoils before. */
  const start = async (
    spoil: (root: string) => void = () => {}, options: { readonly cacheDir?: string, readonly more?: string } = {}
  ): Promise<Started> => {
    const copy = await copies.serve(spoil)
    const file = join(scratch, `repositories-${copy.serial}.yaml`)
    const mirror = `mirror: "${copy.server.url}", suites: [bookworm], arches: [amd64]`
    writeFileSync(file, `repositories: [{ preset: debian, ${mirror}, ${options.more ?? `key: ${key.publicKey}`} }]\n`)
    const cacheDir = options.cacheDir ?? join(scratch, `cache-${copy.serial}`)
    return { ...copy, file, service: await copies.use(() => startWithRepositories(file, cacheDir, { fetch: { tries: 1 } })) }
  }

  const refusal = async (asked: Service): Promise<AppError> => {
    const error = await refusalOf(asked, REFERENCE)
    expect(await heldBy(asked)).toEqual([])
    return error
  }

  const deb = (root: string): string => join(root, `pool/bookworm/linux-image-${RELEASE}_6.1.192-3_amd64.deb`)
  const publish = (root: string, options: Partial<Parameters<typeof publishSuite>[0]> = {}): void => {
    publishSuite({
      root, suite: 'bookworm', component: 'main', arch: 'amd64', key, ...options
    })
  }

  it('the good repository is taken, once for a hundred who ask at the same time', async () => {
    const { service, server } = await start()
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(service, REFERENCE)))
    expect(new Set(answers.map(({ sha256 }) => sha256))).toEqual(new Set([sha256Of(kernel.btf)]))
    expect(server.requests.filter(path => path.endsWith('.deb'))).toHaveLength(1)
  })

  it('who does not want to wait is told how far it is, and when to come again', async () => {
    const { service, server, root } = await start()
    let release = (): void => {}
    const held = new Promise<void>(resolve => { release = resolve })
    let isAsked = (): void => {}
    const begun = new Promise<void>(resolve => { isAsked = resolve })
    server.intercept = (_request, response, path) => {
      if (!path.endsWith('.deb')) return false
      const bytes = readFileSync(deb(root))
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 1 << 20))
      isAsked()
      held.then(() => response.end(bytes.subarray(1 << 20)), () => {})
      return true
    }
    const first = await service.getKernelBtf(REFERENCE).then(() => undefined, (reason: unknown) => reason)
    expect(first).toMatchObject({
      code: 'fetching',
      details: { kernel: `debian/12/x86_64/${RELEASE}`, retry_after: expect.any(Number), progress: { phase: expect.any(String) } }
    })
    await begun
    release()
    expect((await ask(service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  })

  it.each<[string, (root: string) => void, string, string]>([
    [
      'an index that is signed by somebody else', root => { publish(root, { key: stranger }) }, 'source_invalid',
      'cannot be trusted: No signature is valid'
    ],
    ['an index without a signature', root => { publish(root, { key: undefined }) }, 'source_invalid', 'cannot be trusted'],
    ['a signed text with another one around it', root => {
      const path = join(root, 'dists/bookworm/InRelease')
      writeFileSync(path, readFileSync(path, 'utf8').replace(/^Suite: bookworm$/m, 'Suite: sid'))
    }, 'source_invalid', 'cannot be trusted'],
    [
      'an index that has expired', root => { publish(root, { date: rfc(Date.now() - 8 * DAY_MS), validUntil: rfc(Date.now() - DAY_MS) }) },
      'source_invalid', '(Valid-Until)'
    ],
    ['the index of another suite', root => {
      cpSync(join(root, 'pool/bookworm'), join(root, 'pool/trixie'), { recursive: true })
      publishSuite({ root, suite: 'trixie', component: 'main', arch: 'amd64', key })
      copyFileSync(join(root, 'dists/trixie/InRelease'), join(root, 'dists/bookworm/InRelease'))
    }, 'source_invalid', 'belongs to another suite (trixie)'],
    ['packages\' indexes of another version of the mirror', root => {
      rmSync(join(root, 'dists/bookworm/main/binary-amd64/by-hash'), { recursive: true })
      writeFileSync(join(root, 'dists/bookworm/main/binary-amd64/Packages.xz'), Buffer.alloc(64))
    }, 'source_invalid', 'the index cannot be used: '],
    [
      'an index that the mirror does not have', root => { rmSync(join(root, 'dists/bookworm/main'), { recursive: true }) }, 'source_failed',
      'the mirror is out of date'
    ],
    [
      'a package that the mirror does not have', root => { rmSync(deb(root)) }, 'source_failed',
      'although the index lists it; the mirror is out of date'
    ],
    ['a package that is cut off', root => { cutOff(deb(root), 5_000_000) }, 'source_invalid', 'has the SHA-256'],
    ['a package of another content', root => { flipBit(deb(root)) }, 'source_invalid', 'has the SHA-256'],
    ['a package that is larger than its index says', root => { enlarge(deb(root)) }, 'source_invalid', 'is larger than is taken'],
    ['another kernel inside', root => {
      rmSync(join(root, 'pool'), { recursive: true })
      makeDeb({
        name: `linux-image-${RELEASE}`,
        version: '6.1.192-3',
        arch: 'amd64',
        files: { [`boot/vmlinuz-${RELEASE}`]: renameKernel(kernel, '6.1.0-56-amd64', scratch) }
      }, join(root, 'pool/bookworm'), join(scratch, 'wrong'), 'zstd')
      publish(root)
    }, 'source_invalid', `calls itself 6.1.0-56-amd64, not ${RELEASE}`],
    ['no kernel inside', root => {
      rmSync(join(root, 'pool'), { recursive: true })
      makeDeb(
        { name: `linux-image-${RELEASE}`, version: '6.1.192-3', arch: 'amd64', files: { 'boot/vmlinuz-6.1.0-1-amd64': kernel.vmlinuz } },
        join(root, 'pool/bookworm'), join(scratch, 'none'), 'zstd'
      )
      publish(root)
    }, 'source_invalid', `There is no kernel ${RELEASE} in linux-image-${RELEASE}. It has 6.1.0-1-amd64; `]
  ])('%s is refused with its reason, and nothing is kept', async (_what, spoil, code, message) => {
    const error = await refusal((await start(spoil)).service)
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringContaining(message) })
  }, 120_000)

  it('an index that is older than the one seen before is refused, also after a restart; what was known still answers', async () => {
    const cacheDir = join(scratch, 'replay')
    mkdirSync(cacheDir, { recursive: true })
    const { service, server, root, file } = await start(undefined, { cacheDir })
    await ask(service, REFERENCE)
    const restarted = await copies.use(async () => {
      publish(root, { date: rfc(Date.now() - 30 * DAY_MS) })
      server.requests.splice(0)
      return await startWithRepositories(file, cacheDir, { fetch: { tries: 1 } }, { catalogMs: 1 })
    })
    // While the index is fetched, questions are answered from the one before. The answer for a name is remembered, so each try has another.
    let tries = 0
    const askUnknown = async (): Promise<unknown> =>
      await ask(restarted, parseReference(`debian/12/x86_64/6.1.0-${100 + ++tries}-amd64`)).catch((error: unknown) => error)
    await expect
      .poll(askUnknown)
      .toMatchObject({ code: 'source_invalid', message: expect.stringMatching(/ is of .*, older than the one of .* that was seen before/) })
    expect(server.requests).toContain('/dists/bookworm/InRelease')
    expect((await restarted.getKernelBtf(REFERENCE)).source).toBe('packages')
  }, 120_000)

  it('an index that has expired is taken where the operator says that the tree is of the past, but its signature is checked', async () => {
    const expire = (root: string, by = key): void => {
      publish(
        root, { date: rfc(Date.now() - 800 * DAY_MS), validUntil: rfc(Date.now() - 790 * DAY_MS), key: by }
      )
    }
    const more = `history: true, key: ${key.publicKey}`
    const { service } = await start(root => { expire(root) }, { more })
    expect((await ask(service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
    const { service: other } = await start(root => { expire(root, stranger) }, { more })
    expect((await refusal(other)).message).toContain('No signature is valid')
  })

  it('an unsigned repository is taken where the operator says so', async () => {
    const { service } = await start(root => { publish(root, { key: undefined }) }, { more: 'unsigned: true' })
    expect((await ask(service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  })

  it('a redirect within the mirror is followed, and one to a private address is not', async () => {
    const { service, server } = await start()
    redirect(server, path => path.endsWith('.deb'), () => 'http://10.0.0.1/x.deb')
    expect((await refusal(service)).message).toContain('redirects to 10.0.0.1, which is not a public address')
    const other = await start(root => { cpSync(join(root, 'pool'), join(root, 'moved/pool'), { recursive: true }) })
    redirect(other.server, path => path.startsWith('/pool'), path => `/moved${path}`)
    expect((await ask(other.service, REFERENCE)).sha256).toBe(sha256Of(kernel.btf))
  })
})

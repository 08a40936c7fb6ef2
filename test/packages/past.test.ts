import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { AppError } from '../../src/errors.js'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { makeDeb, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishSuite, serveFiles, type RepositoryServer, type TestKey } from './repositories.js'
import { ask, refusalOf, startWithRepositories } from './service.js'

const LIVE = '6.1.0-57-amd64'
const PAST = '6.1.0-9-amd64'
const UBUNTU = '5.15.0-91-generic'
const SEEN = '20230509T151600Z'
const THEN = 'Tue, 09 May 2023 14:05:00 UTC'
const EXPIRED = 'Tue, 16 May 2023 14:05:00 UTC'
/** Two hours after the time at which Launchpad says that it was published. */
const UBUNTU_TIME = '20231120T140000Z'
const SHA1 = '82bdd995c40d95372b69be64cda8abcb69de04da'

/** What the interface of Debian's snapshot archive answers of one package. */
function snapshotAnswers (path: string, release: string, version: string): unknown {
  const name = `linux-image-${release}`
  if (path === `/mr/binary/${name}/`) {
    return { _comment: '', binary: name, result: [{ binary_version: version, name, source: 'linux-signed-amd64', version: '6.1.27+1' }] }
  }
  if (path !== `/mr/binary/${name}/${version}/binfiles`) return undefined
  return {
    _comment: '',
    binary: name,
    binary_version: version,
    fileinfo: {
      [SHA1]: [{
        archive_name: 'debian-security',
        first_seen: SEEN,
        name: `${name}_${version}_amd64.deb`,
        path: '/pool/updates/main/l/linux-signed-amd64',
        size: 69_000_000
      }]
    },
    result: [{ architecture: 'amd64', hash: SHA1 }, { architecture: 'arm64', hash: SHA1.replace('8', '9') }]
  }
}

describeLab('kernels that no index lists any more', [
  ...['apt-ftparchive', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-past-'))
  const root = join(scratch, 'www')
  const past = join(root, 'archive/debian-security', SEEN)
  const snapshot = join(root, 'snapshots', UBUNTU_TIME)
  let kernel: LabKernel
  let key: TestKey
  let server: RepositoryServer
  let service: Service | undefined
  let count = 0
  let answers: (path: string, query: URLSearchParams) => unknown = () => undefined

  beforeAll(async () => {
    kernel = readLabKernel('6.1', scratch)
    key = makeKey(scratch, 'archive')
    const put = (folder: string, name: string, version: string, release: string): void => {
      makeDeb(
        { name, version, arch: 'amd64', files: { [`boot/vmlinuz-${release}`]: renameKernel(kernel, release, scratch) } }, folder, scratch,
        'zstd'
      )
    }
    put(join(root, 'debian/pool/bookworm'), `linux-image-${LIVE}`, '6.1.192-3', LIVE)
    publishSuite({ root: join(root, 'debian'), suite: 'bookworm', component: 'main', arch: 'amd64', key })
    put(join(past, 'pool/bookworm-security'), `linux-image-${PAST}`, '6.1.27-1', PAST)
    publishPast()
    put(join(root, 'ubuntu/pool/jammy'), `linux-image-unsigned-${LIVE}`, '6.1.192-3', LIVE)
    publishSuite({ root: join(root, 'ubuntu'), suite: 'jammy', component: 'main', arch: 'amd64', key })
    put(join(snapshot, 'pool/jammy-updates'), `linux-image-unsigned-${UBUNTU}`, '5.15.0-91.101', UBUNTU)
    publishSuite({ root: snapshot, suite: 'jammy-updates', component: 'main', arch: 'amd64', key })
    server = await serveFiles(root)
  }, 600_000)

  afterEach(async () => {
    await service?.close()
    service = undefined
    publishPast()
  })
  afterAll(async () => {
    await server?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  /** What signs it, and until when: as the archive kept it. */
  function publishPast (signer: TestKey | undefined = key): void {
    publishSuite({
      root: past, suite: 'bookworm-security', component: 'updates/main', arch: 'amd64', key: signer, date: THEN, validUntil: EXPIRED
    })
  }

  const start = async (entry: string): Promise<Service> => {
    server.requests.length = 0
    server.intercept = (request, response: ServerResponse, path) => {
      const answer = answers(path, new URL(request.url ?? '/', 'http://localhost').searchParams)
      if (answer === undefined) return false
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      return true
    }
    const file = join(scratch, `repositories-${++count}.yaml`)
    writeFileSync(file, `repositories: [${entry.replaceAll('$URL', server.url)}]\n`)
    service = await startWithRepositories(file, join(scratch, `cache-${count}`), { fetch: { tries: 1 } })
    return service
  }
  const debian = async (): Promise<Service> =>
    await start(`{ preset: debian, mirror: $URL/debian, suites: [bookworm], arches: [amd64], snapshot: $URL, key: ${key.publicKey} }`)
  const ubuntu = async (): Promise<Service> =>
    await start(
      '{ preset: ubuntu, mirror: $URL/ubuntu, suites: [jammy], arches: [amd64], launchpad: $URL/devel, snapshot: $URL/snapshots, key: ' +
        `${key.publicKey} }`
    )
  const refusal = async (asked: Service, name: string): Promise<AppError> => await refusalOf(asked, parseReference(name))
  const askedPast = (): string[] => server.requests.filter(path => /^\/(?:mr|archive|devel|snapshots)\//.test(path))

  it("are proven by the suite's signed index of the time when Debian's snapshot archive saw them, even if expired long ago", async () => {
    answers = path => snapshotAnswers(path, PAST, '6.1.27-1')
    const asked = await debian()
    const { sha256, source } = await ask(asked, parseReference(`debian/12/x86_64/${PAST}`))
    expect({ sha256, source }).toEqual({ sha256: sha256Of(kernel.btf), source: 'packages' })
    expect((await asked.getKernel(parseReference(`debian/12/x86_64/${PAST}`))).provenance.package).toMatchObject({
      name: `linux-image-${PAST}`, version: '6.1.27-1'
    })
    const by = readFileSync(join(past, 'dists/bookworm-security/Release'), 'utf8')
    const index = /^ ([0-9a-f]{64}) +\d+ updates\/main\/binary-amd64\/Packages\.xz$/m.exec(by)?.[1]
    expect(askedPast()).toEqual([
      `/mr/binary/linux-image-${PAST}/`,
      `/mr/binary/linux-image-${PAST}/6.1.27-1/binfiles`,
      `/archive/debian-security/${SEEN}/dists/bookworm-security/InRelease`,
      `/archive/debian-security/${SEEN}/dists/bookworm-security/updates/main/binary-amd64/by-hash/SHA256/${index}`,
      `/archive/debian-security/${SEEN}/pool/bookworm-security/linux-image-${PAST}_6.1.27-1_amd64.deb`
    ])
  })

  it('are not looked for where a current index has the kernel, or the kernel is of another distribution', async () => {
    answers = path => snapshotAnswers(path, PAST, '6.1.27-1')
    const asked = await debian()
    expect((await ask(asked, parseReference(`debian/12/x86_64/${LIVE}`))).source).toBe('packages')
    expect(await refusal(asked, `ubuntu/22.04/x86_64/${PAST}`)).toMatchObject({
      code: 'kernel_unknown', message: expect.stringContaining('add ubuntu to CORELO_PACKAGES')
    })
    expect(await refusal(asked, `debian/11/x86_64/${PAST}`)).toMatchObject({
      code: 'kernel_unknown', message: expect.not.stringContaining('CORELO_PACKAGES')
    })
    expect((await refusal(asked, `debian/12/arm64/${PAST}`)).code).toBe('kernel_unknown')
    expect(askedPast()).toEqual([])
  })

  it('are unknown where the archive never saw them', async () => {
    answers = () => undefined
    expect((await refusal(await debian(), 'debian/12/x86_64/6.1.0-8-amd64')).code).toBe('kernel_unknown')
    expect(askedPast()).toEqual(['/mr/binary/linux-image-6.1.0-8-amd64/', '/mr/binary/linux-image-6.1.0-8-amd64-unsigned/'])
  })

  it('are refused where somebody else signed the index of that time', async () => {
    answers = path => snapshotAnswers(path, PAST, '6.1.27-1')
    publishPast(makeKey(scratch, `stranger-${count}`))
    const error = await refusal(await debian(), `debian/12/x86_64/${PAST}`)
    expect(error).toMatchObject({
      code: 'source_invalid', message: expect.stringContaining('no signed index of that time proves its package')
    })
    expect(error.message).toContain('No signature is valid')
  })

  it('are refused where the interface names a version that no signed index has', async () => {
    answers = path => snapshotAnswers(path, PAST, '6.1.27-2')
    expect(await refusal(await debian(), `debian/12/x86_64/${PAST}`)).toMatchObject({
      code: 'source_invalid', message: expect.stringContaining(`had ${PAST} in version 6.1.27-2, but no signed index`)
    })
  })

  it('are refused where the package is another than the signed index names', async () => {
    answers = path => {
      if (path.endsWith('.deb')) return { what: 'no package' }
      return snapshotAnswers(path, PAST, '6.1.27-1')
    }
    expect((await refusal(await debian(), `debian/12/x86_64/${PAST}`)).code).toBe('source_invalid')
  })

  it('are refused where the interface answers no JSON', async () => {
    answers = () => undefined
    const asked = await debian()
    server.intercept = (_request, response, path) => {
      if (!path.startsWith('/mr/')) return false
      response.writeHead(200).end('<html>')
      return true
    }
    expect(await refusal(asked, `debian/12/x86_64/${PAST}`)).toMatchObject({
      code: 'source_invalid', message: expect.stringContaining('is not JSON')
    })
  })

  it('of Ubuntu are proven by the snapshot of its archive at the time at which Launchpad says that they were published', async () => {
    const questions: string[] = []
    answers = (path, query) => {
      if (path !== '/devel/ubuntu/+archive/primary') return undefined
      questions.push(query.toString())
      const name = query.get('binary_name')
      return {
        start: 0,
        total_size: name?.includes('unsigned') === true ? 1 : 0,
        entries: name !== `linux-image-unsigned-${UBUNTU}`
          ? []
          : [{
              self_link: `${server.url}/devel/ubuntu/+archive/primary/+binarypub/1`,
              binary_package_name: name,
              binary_package_version: '5.15.0-91.101',
              pocket: 'Updates',
              status: 'Superseded',
              component_name: 'main',
              date_published: '2023-11-20T12:00:00.000000+00:00',
              date_superseded: '2024-01-09T11:15:35.000000+00:00',
              date_removed: null,
              architecture_specific: true
            }]
      }
    }
    const asked = await ubuntu()
    const { sha256 } = await ask(asked, parseReference(`ubuntu/22.04/x86_64/${UBUNTU}`))
    expect(sha256).toBe(sha256Of(kernel.btf))
    expect(questions.map(text => Object.fromEntries(new URLSearchParams(text)))).toEqual([{
      'ws.op': 'getPublishedBinaries',
      binary_name: `linux-image-unsigned-${UBUNTU}`,
      exact_match: 'true',
      distro_arch_series: `${server.url}/devel/ubuntu/jammy/amd64`
    }])
    expect(askedPast().filter(path => path.endsWith('InRelease'))).toEqual([`/snapshots/${UBUNTU_TIME}/dists/jammy-updates/InRelease`])
  })

  it('of Ubuntu that are older than the snapshots of its archive are refused, whatever Launchpad says', async () => {
    answers = (path, query) => path !== '/devel/ubuntu/+archive/primary'
      ? undefined
      : {
          entries: query.get('binary_name')?.includes('unsigned') === true
            ? [{
                binary_package_version: '5.15.0-25.25',
                pocket: 'Updates',
                date_published: '2022-04-20T12:00:00.000000+00:00',
                date_superseded: null
              }]
            : []
        }
    expect(await refusal(await ubuntu(), 'ubuntu/22.04/x86_64/5.15.0-25-generic')).toMatchObject({
      code: 'source_invalid',
      message: expect.stringContaining(
        'had 5.15.0-25-generic in version 5.15.0-25.25, but no signed index of that time proves its package'
      )
    })
  })
})

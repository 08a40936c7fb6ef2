import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { btfIn, makeDeb, makeRpm, readArm64Kernel, sha256Of } from './kernels.js'
import { makeKey, publishRpms, publishSuite, serveFiles, type RepositoryServer } from './repositories.js'
import { ask, startWithRepositories } from './service.js'

const UBUNTU = '6.8.0-31-generic'
const DEBIAN = '6.1.0-57-arm64'
const ROCKY = '5.14.0-503.14.1.el9_5'

const KERNELS = [
  [`ubuntu/24.04/arm64/${UBUNTU}`, `linux-image-unsigned-${UBUNTU}`],
  [`debian/12/arm64/${DEBIAN}`, `linux-image-${DEBIAN}`],
  [`rocky/9/arm64/${ROCKY}.aarch64`, 'kernel-core'],
  [`rocky/9/arm64/${ROCKY}.aarch64+64k`, 'kernel-64k-core']
] as const

/** The image under another release. It is not packed, so that its banner can be written over. */
function renamed ({ image, release: own }: ReturnType<typeof readArm64Kernel>, release: string): Buffer {
  const copy = Buffer.from(image)
  const banner = Buffer.from(`Linux version ${own} (`)
  for (let at = copy.indexOf(banner); at >= 0; at = copy.indexOf(banner, at + 1)) {
    const end = copy.indexOf(0, at)
    const tail = /(#\d.*)\n$/.exec(copy.toString('latin1', at, end))?.[1] ?? ''
    copy.fill(0, at, end)
    copy.write(`Linux version ${release} (b) (c) ${tail}\n`, at, 'latin1')
  }
  return copy
}

describeLab('package repositories with kernels for arm64', [
  ...['apt-ftparchive', 'createrepo_c', 'rpmbuild', 'gpg'].map(NEEDS.tool), NEEDS.package('arm64')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-packages-'))
  let server: RepositoryServer
  let service: Service
  let btf: Buffer

  beforeAll(async () => {
    const kernel = readArm64Kernel()
    btf = btfIn(kernel.image)
    const key = makeKey(scratch, 'archive')
    const root = join(scratch, 'www')
    // Debian's is not packed, those of Ubuntu and of Enterprise Linux are.
    const vmlinuz = (release: string) => release === DEBIAN ? renamed(kernel, release) : gzipSync(renamed(kernel, release), { level: 1 })
    const suites = [
      ['ubuntu', 'noble', `linux-image-unsigned-${UBUNTU}`, '6.8.0-31.31', UBUNTU],
      ['debian', 'bookworm', `linux-image-${DEBIAN}`, '6.1.192-3', DEBIAN]
    ] as const
    for (const [distro, suite, name, version, release] of suites) {
      const base = join(root, distro)
      makeDeb(
        { name, version, arch: 'arm64', files: { [`boot/vmlinuz-${release}`]: vmlinuz(release) } }, join(base, 'pool', suite), scratch, 'xz'
      )
      publishSuite({ root: base, suite, component: 'main', arch: 'arm64', key, packing: 'xz' })
    }
    const rpms = join(root, 'rocky')
    for (const [name, release] of [['kernel-core', `${ROCKY}.aarch64`], ['kernel-64k-core', `${ROCKY}.aarch64+64k`]] as const) {
      makeRpm({ name, version: ROCKY, arch: 'aarch64', files: { [`lib/modules/${release}/vmlinuz`]: vmlinuz(release) } }, rpms, scratch)
    }
    publishRpms(rpms, key)
    server = await serveFiles(root)
    const entries = [
      ...suites.map(([distro, suite]) =>
        `{ preset: ${distro}, mirror: "${server.url}/${distro}", security_mirror: "${server.url}/${distro}", suites: [${suite}], ` +
          `arches: [arm64], key: ${key.publicKey} }`),
      `{ type: rpm, name: rocky, distro: rocky, distro_version: "9", url: "${server.url}/rocky", arches: [aarch64], key: ${key.publicKey} }`
    ]
    const file = join(scratch, 'repositories.yaml')
    writeFileSync(file, `repositories:\n${entries.map(entry => `  - ${entry}`).join('\n')}\n`)
    service = await startWithRepositories(file, join(scratch, 'cache'))
  }, 600_000)

  afterAll(async () => {
    await service?.close()
    await server?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  it.each(KERNELS)('%s is the kernel in %s', async (reference, name) => {
    const { sha256, source } = await ask(service, parseReference(reference))
    expect({ sha256, source }).toEqual({ sha256: sha256Of(btf), source: 'packages' })
    expect((await service.getKernel(parseReference(reference))).provenance.package?.name).toBe(name)
  })
})

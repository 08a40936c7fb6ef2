import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { makeDeb, makeRpm, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishRpms, publishSuite, serveFiles, type RepositoryServer } from './repositories.js'
import { ask, refusalOf, startWithRepositories } from './service.js'

/**
 * A release with the two versions of its package: built again for the archive's own sake, for another release of the distribution, and by
 * its maker.
 */
const DEBS = [
  ['debian/12', 'bookworm', 'linux-image-6.1.0-57-amd64', ['6.1.192-3', '6.1.192-3+b1'], '6.1.0-57-amd64'],
  ['ubuntu/22.04', 'jammy', 'linux-image-unsigned-6.5.0-1014-aws', ['6.5.0-1014.14', '6.5.0-1014.14~22.04.1'], '6.5.0-1014-aws']
] as const
const SUSE = ['opensuse-leap/15.6', 'kernel-default', ['6.4.0-150600.23.7.3', '6.4.0-150600.23.7.4'], '6.4.0-150600.23.7-default'] as const
const NAMES = [...DEBS.map(([platform, , , , release]) => `${platform}/x86_64/${release}`), `${SUSE[0]}/x86_64/${SUSE[3]}`]
const NEITHER = '#1 SMP PREEMPT_DYNAMIC Sat Feb 29 12:00:00 UTC 2020'

describeLab('a release that was published as two builds', [
  ...['apt-ftparchive', 'createrepo_c', 'rpmbuild', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1'), NEEDS.guest('6.12')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-builds-'))
  let kernels: readonly [LabKernel, LabKernel]
  let server: RepositoryServer
  let service: Service

  beforeAll(async () => {
    kernels = [readLabKernel('6.1', scratch), readLabKernel('6.12', scratch)]
    const key = makeKey(scratch, 'archive')
    const root = join(scratch, 'www')
    for (const [platform, suite, name, versions, release] of DEBS) {
      const [distro = ''] = platform.split('/')
      const base = join(root, distro)
      for (const [i, version] of versions.entries()) {
        const kernel = kernels[i] ?? expect.fail()
        makeDeb(
          { name, version, arch: 'amd64', files: { [`boot/vmlinuz-${release}`]: renameKernel(kernel, release, scratch) } },
          join(base, 'pool', suite), scratch, 'zstd'
        )
      }
      publishSuite({ root: base, suite, component: 'main', arch: 'amd64', key })
    }
    const [, name, versions, release] = SUSE
    for (const [i, version] of versions.entries()) {
      const kernel = kernels[i] ?? expect.fail()
      makeRpm(
        { name, version, arch: 'x86_64', files: { [`usr/lib/modules/${release}/vmlinuz`]: renameKernel(kernel, release, scratch) } },
        join(root, 'suse'), scratch
      )
    }
    publishRpms(join(root, 'suse'), key)
    server = await serveFiles(root)
    const entries = [
      ...DEBS.map(([platform, suite]) =>
        `{ preset: ${platform.split('/')[0]}, mirror: "${server.url}/${platform.split('/')[0]}", suites: [${suite}], arches: [amd64], ` +
          `key: ${key.publicKey} }`),
      `{ type: rpm, name: leap, distro: opensuse-leap, distro_version: "15.6", url: "${server.url}/suse", arches: [x86_64], key: ` +
        `${key.publicKey} }`
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

  it.each(
    NAMES
  )('%s is answered with the build whose uname -v the request gives, and with none where it gives that of neither or none', async name => {
    const reference = parseReference(name)
    const unknown = await refusalOf(service, reference, { kernelVersion: NEITHER })
    expect(unknown.code).toBe('kernel_unknown')
    for (const { kernelVersion } of kernels) {
      expect(`${unknown.message} ${JSON.stringify(unknown.details['sources'])}`).toContain(kernelVersion)
    }
    expect(unknown.message).toContain(NEITHER)
    for (const { kernelVersion, btf } of [...kernels].reverse()) {
      const found = await ask(service, reference, { kernelVersion })
      expect({ sha256: found.sha256, kernelVersion: found.kernelVersion }).toEqual({ sha256: sha256Of(btf), kernelVersion })
    }
    const ambiguous = await refusalOf(service, reference)
    expect(ambiguous).toMatchObject({
      code: 'kernel_ambiguous',
      details: {
        candidates: expect.arrayContaining(kernels.map(({ kernelVersion }) => expect.objectContaining({ kernel_version: kernelVersion })))
      }
    })
  }, 300_000)

  it('each package of it was read once', () => {
    const packages = server.requests.filter(path => /\.(?:deb|rpm)$/.test(path))
    expect(packages).toHaveLength(2 * NAMES.length)
    expect(new Set(packages).size).toBe(packages.length)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Service } from '../../src/service/types.js'
import { parseReference } from '../../src/identity/reference.js'
import { PRESETS } from '../../src/packages/presets.js'
import { describeLab, labPackage, NEEDS } from '../support/lab.js'
import { makeDeb, makeRpm, readFromDeb, readLabKernel, renameKernel, sha256Of, type LabKernel } from './kernels.js'
import { makeKey, publishRpms, publishSuite, serveFiles, signRpm, type RepositoryServer } from './repositories.js'
import { ask, startWithRepositories } from './service.js'

/** What each family calls the package of a kernel, and where its image lies in it. */
const DEBS = [
  ['debian/12', 'bookworm', 'main', 'linux-image-6.1.0-57-amd64', '6.1.192-3', '6.1.0-57-amd64', 'boot/vmlinuz-', 'xz'],
  [
    'debian/12', 'bookworm-security', 'updates/main', 'linux-image-6.1.0-99-cloud-amd64', '6.1.300-1', '6.1.0-99-cloud-amd64',
    'boot/vmlinuz-', 'xz'
  ],
  [
    'debian/12', 'bookworm-backports', 'main', 'linux-image-6.12.9+bpo-rt-amd64', '6.12.9-1~bpo12+1', '6.12.9+bpo-rt-amd64',
    'boot/vmlinuz-', 'xz'
  ],
  ['debian/sid', 'sid', 'main', 'linux-binary-7.2.13+deb14-amd64', '7.2.13-1', '7.2.13+deb14-amd64', 'usr/lib/modules/', 'xz'],
  [
    'ubuntu/22.04', 'jammy-updates', 'main', 'linux-image-unsigned-5.15.0-91-generic', '5.15.0-91.101', '5.15.0-91-generic',
    'boot/vmlinuz-', 'zstd'
  ],
  ['ubuntu/24.04', 'noble', 'main', 'linux-image-6.8.0-1008-aws', '6.8.0-1008.8', '6.8.0-1008-aws', 'boot/vmlinuz-', 'gzip'],
  ['raspbian/12', 'bookworm', 'main', 'linux-image-6.6.51+rpt-rpi-v8', '6.6.51-1+rpt3', '6.6.51+rpt-rpi-v8', 'boot/vmlinuz-', 'xz'],
  [
    'proxmox/8', 'bookworm', 'pve-no-subscription', 'proxmox-kernel-6.8.12-4-pve-signed', '6.8.12-4', '6.8.12-4-pve', 'boot/vmlinuz-',
    'zstd'
  ],
  ['armbian/24.04', 'noble', 'main', 'linux-image-current-x86', '25.2.3', '6.12.19-current-x86', 'boot/vmlinuz-', 'xz']
] as const

/** Of those that have no preset: their indexes tell it, and Armbian's say nowhere else which kernel it is. */
const SOURCES: Readonly<Record<string, string | undefined>> = { armbian: 'linux-6.12.19' }

const RPMS = [
  ['fedora/41', 'kernel-core', '6.11.4-301.fc41', '6.11.4-301.fc41.x86_64', 'lib/modules/', 'zst', 'w1.zstdio', 'index'],
  ['rocky/10', 'kernel-core', '6.12.0-55.9.1.el10_0', '6.12.0-55.9.1.el10_0.x86_64', 'lib/modules/', 'xz', 'w1.zstdio', 'index'],
  ['ol/8', 'kernel-uek', '5.4.17-2136.330.7.1.el8uek', '5.4.17-2136.330.7.1.el8uek.x86_64', 'boot/vmlinuz-', 'gz', 'w1.xzdio', 'package'],
  ['rocky/9', 'kernel-core', '5.14.0-503.14.1.el9_5', '5.14.0-503.14.1.el9_5.x86_64', 'lib/modules/', 'gz', 'w1.zstdio', 'index'],
  ['almalinux/8', 'kernel-core', '4.18.0-553.el8_10', '4.18.0-553.el8_10.x86_64', 'lib/modules/', 'xz', 'w1.xzdio', 'index'],
  ['centos/9', 'kernel-rt-core', '5.14.0-522.el9', '5.14.0-522.el9.x86_64+rt', 'lib/modules/', 'gz', 'w1.zstdio', 'index'],
  ['ol/9', 'kernel-uek-core', '5.15.0-206.153.7.el9uek', '5.15.0-206.153.7.el9uek.x86_64', 'lib/modules/', 'gz', 'w1.zstdio', 'package'],
  ['amzn/2', 'kernel', '5.10.217-205.860.amzn2', '5.10.217-205.860.amzn2.x86_64', 'boot/vmlinuz-', 'gz', 'w1.gzdio', 'package'],
  ['amzn/2023', 'kernel6.12', '6.12.22-27.96.amzn2023', '6.12.22-27.96.amzn2023.x86_64', 'boot/vmlinuz-', 'gz', 'w1.zstdio', 'package'],
  [
    'opensuse-leap/15.6', 'kernel-default', '6.4.0-150600.23.7.3', '6.4.0-150600.23.7-default', 'usr/lib/modules/', 'xz', 'w1.xzdio',
    'index'
  ],
  ['opensuse-leap/15.5', 'kernel-azure', '5.14.21-150500.33.42.1', '5.14.21-150500.33.42-azure', 'boot/vmlinuz-', 'gz', 'w1.xzdio', 'index']
] as const

const imagePath = (place: string, release: string): string =>
  place.startsWith('boot/') ? `${place}${release}` : `${place}${release}/vmlinuz`

describeLab('package repositories made by the real tools', [
  ...['apt-ftparchive', 'createrepo_c', 'rpmbuild', 'rpmsign', 'gpg', 'objcopy', 'zstd'].map(NEEDS.tool), NEEDS.guest('6.1'),
  NEEDS.package('6.1')
], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-packages-'))
  let kernel: LabKernel
  let server: RepositoryServer
  let service: Service

  beforeAll(async () => {
    kernel = readLabKernel('6.1', scratch)
    const key = makeKey(scratch, 'archive')
    const root = join(scratch, 'www')
    const entries: string[] = []
    const module = readFromDeb(labPackage('6.1') ?? '', `./lib/modules/${kernel.release}/kernel/fs/xfs/xfs.ko`)

    for (const [platform, suite, component, name, version, release, place, packing] of DEBS) {
      const [distro = '', distroVersion = ''] = platform.split('/')
      const base = join(root, distro)
      makeDeb({
        name,
        version,
        arch: 'amd64',
        source: SOURCES[distro],
        files: { [imagePath(place, release)]: renameKernel(kernel, release, scratch) }
      }, join(base, 'pool', suite), scratch, packing)
      if (distro === 'ubuntu') {
        makeDeb(
          { name: `linux-modules-${release}`, version, arch: 'amd64', files: { [`lib/modules/${release}/kernel/fs/xfs/xfs.ko`]: module } },
          join(base, 'pool', suite), scratch, packing
        )
      }
      publishSuite({
        root: base, suite, component, arch: 'amd64', key, packing: packing === 'zstd' ? 'zstd' : packing === 'gzip' ? 'gzip' : 'xz'
      })
      if (PRESETS[distro] === undefined) {
        entries.push(
          `{ type: apt, name: ${distro}, distro: ${distro}, distro_version: "${distroVersion}", mirror: "$URL/${distro}", suites: ` +
            `[${suite}], components: [${component}], arches: [amd64], key: ${key.publicKey} }`
        )
        continue
      }
      entries.push(
        `{ preset: ${distro}, mirror: "$URL/${distro}", security_mirror: "$URL/${distro}", suites: [${suite}], arches: [amd64], key: ` +
          `${key.publicKey} }`
      )
    }
    for (const [platform, name, version, release, place, packing, payload, signed] of RPMS) {
      const [distro = '', distroVersion = ''] = platform.split('/')
      const folder = join(root, 'rpm', distro, distroVersion)
      const path = makeRpm(
        { name, version, arch: 'x86_64', files: { [imagePath(place, release)]: renameKernel(kernel, release, scratch) } }, folder, scratch,
        payload
      )
      if (name === 'kernel-core') {
        makeRpm(
          { name: 'kernel-modules-core', version, arch: 'x86_64', files: { [`lib/modules/${release}/kernel/fs/xfs/xfs.ko`]: module } },
          folder, scratch, payload
        )
      }
      if (signed === 'package') signRpm(path, key)
      publishRpms(folder, signed === 'index' ? key : undefined, { packing })
      const address = `$URL/rpm/${distro}/${distroVersion}`
      if (distro === 'amzn') writeFileSync(join(folder, 'mirror.list'), address)
      entries.push(
        `{ type: rpm, name: ${distro}, distro: ${distro}, distro_version: "${distroVersion}", ` +
          `${distro === 'amzn' ? 'mirror_list' : 'url'}: "${address}${distro === 'amzn' ? '/mirror.list' : ''}", arches: [x86_64], ` +
          `key: ${key.publicKey} }`
      )
    }
    server = await serveFiles(root)
    for (const version of ['2', '2023']) {
      writeFileSync(join(root, 'rpm/amzn', version, 'mirror.list'), `${server.url}/rpm/amzn/${version}\n`)
    }
    const file = join(scratch, 'repositories.yaml')
    writeFileSync(file, `repositories:\n${entries.map(entry => `  - ${entry.replaceAll('$URL', server.url)}`).join('\n')}\n`)
    service = await startWithRepositories(file, join(scratch, 'cache'))
  }, 600_000)

  afterAll(async () => {
    await service?.close()
    await server?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  const names = [
    ...DEBS.map(([platform, , , name, , release]) => [`${platform}/x86_64/${release}`, name] as const),
    ...RPMS.map(([platform, name, , release]) => [`${platform}/x86_64/${release}`, name] as const)
  ]

  it.each(names)('%s is the kernel in %s', async (reference, name) => {
    const { sha256, source } = await ask(service, parseReference(reference))
    expect({ sha256, source }).toEqual({ sha256: sha256Of(kernel.btf), source: 'packages' })
    const { provenance, buildId } = await service.getKernel(parseReference(reference))
    expect(provenance.package?.name).toBe(name)
    expect(provenance.kernelVersion).toMatch(/^#1 SMP PREEMPT_DYNAMIC Debian/)
    expect(buildId).toMatch(/^[0-9a-f]{40}$/)
  })

  it.each([
    'ubuntu/22.04/x86_64/5.15.0-91-generic', 'rocky/9/x86_64/5.14.0-503.14.1.el9_5.x86_64'
  ])('the modules of %s are taken out of their own package', async reference => {
    const { source, bytes } = await service.getKernelBtf(parseReference(reference), 'xfs', { waitMs: 300_000 })
    expect(source).toBe('packages')
    expect(Buffer.from(bytes).includes('xfs_inode')).toBe(true)
  })

  it('every published kernel is listed, those that are held as held', async () => {
    const { kernels } = await service.listKernels({ limit: 1000 })
    expect(kernels.map(({ reference: { distro, distroVersion, arch, release }, state }) =>
      [`${distro}/${distroVersion}/${arch}/${release}`, state]))
      .toEqual(names.map(([reference]) => [reference, 'held']).sort())
  })
})

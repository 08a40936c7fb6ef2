import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStanzaReader, parseStanzas } from '../../../src/packages/deb822.js'
import { findDebKernels, parseDebKernel } from '../../../src/packages/deb-kernels.js'
import { findPackagesIndex, isRelativePath, parseReleaseFile } from '../../../src/packages/release-file.js'
import { runs } from '../../support/property-runs.js'

const text = (name: string): string => readFileSync(new URL(`../../fixtures/packages/${name}`, import.meta.url), 'utf8')
const PACKAGES = text('Packages.bookworm')
const BOOKWORM = { distro: 'debian', distroVersion: '12' }

const toPackages = () => parseStanzas(PACKAGES).map(fields => ({
  name: fields.get('package') ?? '',
  version: fields.get('version') ?? '',
  arch: fields.get('architecture') ?? '',
  path: fields.get('filename') ?? '',
  bytes: Number(fields.get('size')),
  sha256: fields.get('sha256') ?? ''
}))

describe('control files', () => {
  it('reads the packages of a real index, with values of several lines', () => {
    const stanzas = parseStanzas(PACKAGES)
    expect(stanzas).toHaveLength(9)
    expect(stanzas[0]?.get('package')).toBe('linux-image-6.1.0-57-amd64')
    expect(stanzas[0]?.get('sha256')).toBe('14d219d01e1283261817d961dbb3895cb5b4288d0de10e0ba0632a0d993e15bf')
    expect(stanzas[8]?.get('tag')).toContain('\n')
  })

  it('reads the same in whatever pieces it arrives', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: PACKAGES.length }), { maxLength: 40 }), cuts => {
      const reader = createStanzaReader()
      const edges = [0, ...cuts.sort((a, b) => a - b), PACKAGES.length]
      const pieces = edges.slice(1).map((end, i) => PACKAGES.slice(edges[i], end))
      expect([...pieces.flatMap(piece => reader.feed(piece)), ...reader.end()]).toEqual(parseStanzas(PACKAGES))
    }), runs(50))
  })

  it('says where a line is no field', () => {
    expect(() => parseStanzas('Package: x\nno field here')).toThrow('A line of the control file has no field: "no field here".')
  })
})

describe('Release files', () => {
  const release = parseReleaseFile(text('InRelease.bookworm-security').split('\n-----BEGIN PGP SIGNATURE')[0]?.replace(
    /^[\s\S]*?\n\n/, ''
  ) ?? '')

  it('tell suite, dates and the indexes by hash', () => {
    expect(release).toMatchObject({ suite: 'oldstable-security', codename: 'bookworm-security', version: '12', acquireByHash: true })
    expect(new Date(release.date).toISOString()).toBe('2026-11-28T02:53:00.000Z')
    expect(new Date(release.validUntil ?? 0).toISOString()).toBe('2026-12-05T02:53:00.000Z')
  })

  it.each(['main', 'updates/main'])('have the index of the component that is called %s', component => {
    expect(findPackagesIndex(release, component, 'amd64')?.path).toBe('main/binary-amd64/Packages.xz')
  })

  it('are refused without a date, without hashes, and with an end that is no date', () => {
    expect(() => parseReleaseFile('Suite: x\n')).toThrow('The Release file has no date.')
    expect(() => parseReleaseFile('Suite: x\nDate: Sat, 28 Nov 2026 02:53:00 UTC\n')).toThrow('lists no file by SHA-256')
    expect(() => parseReleaseFile('Date: Sat, 28 Nov 2026 02:53:00 UTC\nValid-Until: soon\n')).toThrow('a Valid-Until that is not a date')
  })

  it('name only files below the repository', () => {
    for (const path of ['../x', '/etc/passwd', 'a/../b', 'http://x/y', 'a//b', 'a\\b', '']) expect(isRelativePath(path), path).toBe(false)
    for (const path of ['pool/main/l/linux/x_6.1+b1~deb12u1_amd64.deb', './x.deb', 'main/binary-amd64/Packages.xz']) {
      expect(isRelativePath(path), path).toBe(true)
    }
  })
})

describe('the kernels of a Debian index', () => {
  it('are those of the signed packages, without symbols, templates and metapackages', () => {
    const kernels = findDebKernels(toPackages(), BOOKWORM, 'debian')
    expect(kernels.map(({ reference, image }) => [reference.arch, reference.release, image.name])).toEqual([
      ['x86_64', '6.1.0-57-amd64', 'linux-image-6.1.0-57-amd64'],
      ['x86_64', '6.1.0-57-cloud-amd64', 'linux-image-6.1.0-57-cloud-amd64'],
      ['x86_64', '6.12.117+deb12-amd64', 'linux-image-6.12.117+deb12-amd64']
    ])
  })

  it('have a name of four parts, and nothing of the repository that is asked for them', () => {
    const repository = { ...BOOKWORM, suite: 'bookworm', signers: { keys: {} } }
    const [kernel] = findDebKernels(toPackages(), repository, 'debian')
    expect(kernel?.reference).toEqual({ ...BOOKWORM, arch: 'x86_64', release: '6.1.0-57-amd64' })
  })

  it('are those of the unsigned package where there is no other', () => {
    const unsigned = toPackages().filter(({ name }) => name.endsWith('-unsigned'))
    expect(findDebKernels(unsigned, BOOKWORM, 'debian').map(({ image }) => image.name)).toEqual(['linux-image-6.1.0-57-amd64-unsigned'])
  })

  it('are several where one release was published in several versions', () => {
    const [first] = toPackages()
    if (first === undefined) throw new Error('no package')
    const again = { ...first, version: '6.1.192-4', sha256: '0'.repeat(64) }
    expect(findDebKernels([first, again], BOOKWORM, 'debian').map(({ image }) => image.version)).toEqual(['6.1.192-4', '6.1.192-3'])
  })
})

/** name, naming, what it is; null where it has no kernel's files. */
const NAMES = [
  ['linux-image-6.1.0-57-amd64', 'debian', 'image 6.1.0-57-amd64'],
  ['linux-image-6.1.0-57-amd64-unsigned', 'debian', 'image 6.1.0-57-amd64'],
  ['linux-image-6.1.0-57-amd64-dbg', 'debian', null],
  ['linux-image-amd64', 'debian', null],
  ['linux-image-6.1.0-50-rt-armmp', 'debian', 'image 6.1.0-50-rt-armmp'],
  ['linux-image-6.12.9+bpo-cloud-arm64', 'debian', 'image 6.12.9+bpo-cloud-arm64'],
  ['linux-binary-7.2.13+deb14-amd64', 'debian', 'image 7.2.13+deb14-amd64'],
  ['linux-modules-7.2.13+deb14-amd64', 'debian', 'modules 7.2.13+deb14-amd64'],
  ['linux-image-amd64-signed-template', 'debian', null],
  ['linux-headers-6.1.0-57-amd64', 'debian', null],
  ['linux-image-5.15.0-91-generic', 'ubuntu', 'image 5.15.0-91-generic'],
  ['linux-image-unsigned-5.15.0-91-generic', 'ubuntu', 'image 5.15.0-91-generic'],
  ['linux-image-unsigned-6.5.0-1014-aws', 'ubuntu', 'image 6.5.0-1014-aws'],
  ['linux-image-fb-5.15.0-91-generic', 'ubuntu', null],
  ['linux-image-uc-5.15.0-91-generic', 'ubuntu', null],
  ['linux-image-generic-hwe-22.04', 'ubuntu', null],
  ['linux-modules-5.15.0-91-generic', 'ubuntu', 'modules 5.15.0-91-generic'],
  ['linux-modules-extra-5.15.0-91-generic', 'ubuntu', 'modules 5.15.0-91-generic'],
  ['linux-modules-nvidia-535-5.15.0-91-generic', 'ubuntu', null],
  ['linux-image-unsigned-5.15.0-91-generic-dbgsym', 'ubuntu', null],
  ['linux-image-6.6.51+rpt-rpi-v8', 'debian', 'image 6.6.51+rpt-rpi-v8'],
  ['proxmox-kernel-6.8.12-4-pve', 'debian', 'image 6.8.12-4-pve'],
  ['proxmox-kernel-6.8.12-4-pve-signed', 'debian', 'image 6.8.12-4-pve'],
  ['proxmox-kernel-6.8.12-4-pve-signed-template', 'debian', null],
  ['proxmox-kernel-helper', 'debian', null],
  ['pve-kernel-5.15.143-1-pve', 'debian', 'image 5.15.143-1-pve']
] as const

describe('package names', () => {
  it.each(NAMES)('%s of %s is %s', (name, naming, expected) => {
    const parsed = parseDebKernel(name, naming)
    expect(parsed === undefined ? null : `${parsed.role} ${parsed.release}`).toBe(expected)
  })

  it.each([
    ['linux-image-current-rockchip64', 'linux-6.12.19', 'image 6.12.19-current-rockchip64'],
    ['linux-image-edge-sunxi64', 'linux-6.16.0-rc3', 'image 6.16.0-rc3-edge-sunxi64'],
    ['linux-image-amd64', 'linux-signed-amd64 (6.1.192+3)', null],
    ['linux-image-6.1-amd64', 'linux-6.1 (6.1.106-3~deb11u2)', 'image 6.1-amd64'],
    ['linux-modules-current-x86', 'linux-6.12.19', null]
  ])('%s with its kernel\'s version in its source %s is %s', (name, source, expected) => {
    const parsed = parseDebKernel(name, 'debian', source)
    expect(parsed === undefined ? null : `${parsed.role} ${parsed.release}`).toBe(expected)
  })

  it('lead to the unsigned image of Ubuntu first, and to its modules before the extra ones', () => {
    const file = (name: string) => ({
      name,
      version: '5.15.0-91.101',
      arch: 'amd64',
      path: `pool/${name}.deb`,
      bytes: 10_000_000,
      sha256: Buffer.from(name.padEnd(32, ' ').slice(-32)).toString('hex')
    })
    const names = [
      'linux-image-5.15.0-91-generic', 'linux-modules-extra-5.15.0-91-generic', 'linux-image-unsigned-5.15.0-91-generic',
      'linux-modules-5.15.0-91-generic'
    ]
    const [kernel, ...others] = findDebKernels(names.map(file), { distro: 'ubuntu', distroVersion: '22.04' }, 'ubuntu')
    expect(others).toEqual([])
    expect(kernel?.image.name).toBe('linux-image-unsigned-5.15.0-91-generic')
    expect(kernel?.modules.map(({ name }) => name)).toEqual(['linux-modules-5.15.0-91-generic', 'linux-modules-extra-5.15.0-91-generic'])
  })
})

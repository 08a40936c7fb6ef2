import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { archivePlaces, MAX_ARCHIVE_PLACES } from '../../../src/identity/archive-places.js'
import { isSegment, parseQuery } from '../../../src/identity/reference.js'

const pathsOf = (fields: Parameters<typeof parseQuery>[0]): string[] => archivePlaces(parseQuery(fields)).map(({ path }) => path)

/**
 * What a node says of itself, and a file that is really in aquasecurity/btfhub-archive, or in those of DataDog, openEuler and
 * the private ones named.
 */
const REAL = [
  ['ubuntu', '20.04', 'x86_64', '5.4.0-100-generic', 'ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz'],
  ['ubuntu', 'focal', 'amd64', '5.11.0-1021-azure', 'ubuntu/20.04/x86_64/5.11.0-1021-azure.btf.tar.xz'],
  ['ubuntu', 'bionic', 'aarch64', '4.15.0-101-generic', 'ubuntu/18.04/arm64/4.15.0-101-generic.btf.tar.xz'],
  ['ubuntu', 'xenial', 'arm64', '4.15.0-101-generic', 'ubuntu/16.04/arm64/4.15.0-101-generic.btf.tar.xz'],
  ['ubuntu', '20.04.6', 'x86_64', '5.4.0-1008-gkeop', 'ubuntu/20.04/x86_64/5.4.0-1008-gkeop.btf.tar.xz'],
  ['debian', '9', 'x86_64', '4.19.0-0.bpo.19-amd64', 'debian/9/x86_64/4.19.0-0.bpo.19-amd64.btf.tar.xz'],
  ['debian', 'stretch', 'arm64', '4.9.0-13-arm64', 'debian/9/arm64/4.9.0-13-arm64.btf.tar.xz'],
  ['debian', 'buster', 'x86_64', '4.19.0-17-rt-amd64', 'debian/10/x86_64/4.19.0-17-rt-amd64.btf.tar.xz'],
  ['debian', '10', 'aarch64', '5.10.0-0.deb10.30-rt-arm64', 'debian/10/arm64/5.10.0-0.deb10.30-rt-arm64.btf.tar.xz'],
  ['centos', '7', 'x86_64', '3.10.0-1160.49.1.el7.x86_64', 'centos/7/x86_64/3.10.0-1160.49.1.el7.x86_64.btf.tar.xz'],
  ['rhel', '8.1', 'aarch64', '4.18.0-147.0.2.el8_1.aarch64', 'rhel/8/arm64/4.18.0-147.0.2.el8_1.aarch64.btf.tar.xz'],
  ['ol', '7.9', 'aarch64', '4.14.35-1902.0.18.el7uek.aarch64', 'ol/7/arm64/4.14.35-1902.0.18.el7uek.aarch64.btf.tar.xz'],
  ['fedora', '31', 'x86_64', '5.8.18-100.fc31.x86_64', 'fedora/31/x86_64/5.8.18-100.fc31.x86_64.btf.tar.xz'],
  ['amzn', '2', 'arm64', '4.14.101-91.76.amzn2.aarch64', 'amzn/2/arm64/4.14.101-91.76.amzn2.aarch64.btf.tar.xz'],
  ['amzn', '2018.03', 'x86_64', '4.14.128-87.105.amzn1.x86_64', 'amzn/2018/x86_64/4.14.128-87.105.amzn1.x86_64.btf.tar.xz'],
  ['amzn', '2018.03', 'x86_64', '4.14.106-79.86.amzn1.x86_64', 'amzn/1/x86_64/4.14.106-79.86.amzn1.x86_64.btf.tar.xz'],
  ['sles', '12.3', 'x86_64', '4.4.103-6.33-default', 'sles/12.3/x86_64/4.4.103-6.33-default.btf.tar.xz'],
  ['sles', '12.3', 'x86_64', '4.4.103-6.33-default', 'sles/12.3/x86_64/4.4.103-6.33.1-default.btf.tar.xz'],
  ['sled', '12.5', 'x86_64', '4.12.14-122.124-default', 'sles/12.5/x86_64/4.12.14-122.124.3-default.btf.tar.xz'],
  ['sles', '12.3', 'x86_64', '4.4.138-4.7-azure', 'sles/12.3/x86_64/4.4.138-4.7.2-azure.btf.tar.xz'],
  ['opensuse-leap', '15.1', 'aarch64', '4.12.14-lp151.27-default', 'opensuse-leap/15.1/arm64/4.12.14-lp151.27-default.btf.tar.xz'],
  [
    'openEuler', '20.03', 'aarch64', '4.19.90-2012.4.0.0053.oe1.aarch64',
    'openEuler/20.03/arm64/4.19.90-2012.4.0.0053.oe1.aarch64.btf.tar.xz'
  ],
  [
    'openeuler', '22.03', 'aarch64', '5.10.0-136.14.2.90.oe2203sp1.aarch64',
    'openEuler/22.03/arm64/5.10.0-136.14.2.90.oe2203sp1.aarch64.btf.tar.xz'
  ],
  ['kylin', 'V10', 'aarch64', '4.19.90-52.22.v2207.ky10.aarch64', 'kylin/V10/arm64/4.19.90-52.22.v2207.ky10.aarch64.btf.tar.xz'],
  [
    'bclinux', '21.10U3', 'x86_64', '4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64',
    'bclinux/21.10U3/x86_64/4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64.btf.tar.xz'
  ],
  ['android', '12', 'arm64', 'a12-5.10-2023-01-arm64', 'android/12/arm64/a12-5.10-2023-01-arm64.btf.tar.xz']
] as const

describe('the place of a kernel in the archive', () => {
  it.each(REAL)('%s %s %s %s is looked for at %s', (distro, distroVersion, arch, kernelRelease, path) => {
    expect(pathsOf({ distro, distroVersion, arch, kernelRelease })).toContain(path)
  })

  it('is bullseye for Debian 11, by either name, before its number', () => {
    const places = ['debian/bullseye/x86_64/5.10.0-9-cloud-amd64.btf.tar.xz', 'debian/11/x86_64/5.10.0-9-cloud-amd64.btf.tar.xz']
    for (const distroVersion of ['11', '11.7', 'bullseye']) {
      expect(pathsOf({ distro: 'debian', distroVersion, arch: 'x86_64', kernelRelease: '5.10.0-9-cloud-amd64' })).toEqual(places)
    }
  })

  it("is never below one of the archive's symbolic links", () => {
    expect(pathsOf({ kernelRelease: 'ubuntu/focal/x86_64/5.4.0-42-generic' })).toEqual(['ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz'])
  })

  it('never leaves out what may be a number of the kernel itself', () => {
    expect(pathsOf({ kernelRelease: 'sles/12.5/x86_64/4.12.14-122.12-default' })).not.toContain(
      'sles/12.5/x86_64/4.12.14-122-default.btf.tar.xz'
    )
  })

  it('is that of the own distribution only, for those that build the same sources', () => {
    expect(pathsOf({ kernelRelease: 'rocky/8.6/x86_64/4.18.0-372.9.1.el8.x86_64' })).toEqual([
      'rocky/8/x86_64/4.18.0-372.9.1.el8.x86_64.btf.tar.xz', 'rocky/8.6/x86_64/4.18.0-372.9.1.el8.x86_64.btf.tar.xz'
    ])
  })
})

describe('the places of a bare release', () => {
  it.each([
    ['4.14.101-91.76.amzn2.aarch64', ['amzn/2/arm64']],
    ['4.14.128-87.105.amzn1.x86_64', ['amzn/2018/x86_64', 'amzn/1/x86_64']],
    ['5.8.18-100.fc31.x86_64', ['fedora/31/x86_64']],
    ['4.14.35-1902.0.18.el7uek.aarch64', ['ol/7/arm64']],
    ['3.10.0-1160.49.1.el7.x86_64', ['centos/7/x86_64', 'rhel/7/x86_64', 'ol/7/x86_64']],
    ['4.18.0-305.25.1.el8_4.x86_64', ['centos/8/x86_64', 'rhel/8/x86_64', 'ol/8/x86_64', 'rocky/8/x86_64', 'almalinux/8/x86_64']],
    ['5.10.0-0.deb10.17-cloud-amd64', ['debian/10/x86_64']],
    ['4.19.0-0.bpo.19-amd64', ['debian/9/x86_64']],
    ['4.19.0-27-cloud-amd64', ['debian/10/x86_64']],
    ['5.10.0-9-arm64', ['debian/bullseye/arm64', 'debian/11/arm64']],
    ['4.15.0-101-generic', ['ubuntu/18.04/x86_64', 'ubuntu/18.04/arm64', 'ubuntu/16.04/x86_64', 'ubuntu/16.04/arm64']],
    ['5.11.0-1021-aws', ['ubuntu/21.04/x86_64', 'ubuntu/21.04/arm64', 'ubuntu/20.04/x86_64', 'ubuntu/20.04/arm64']],
    ['5.10.0-136.14.2.90.oe2203sp1.aarch64', ['openEuler/22.03/arm64']],
    ['4.19.90-52.22.v2207.ky10.aarch64', ['kylin/V10/arm64']]
  ])('%s are all that its name allows', (kernelRelease, folders) => {
    expect(pathsOf({ kernelRelease })).toEqual(folders.map(folder => `${folder}/${kernelRelease}.btf.tar.xz`))
  })

  it('have SUSE\'s openSUSE Leap by its tag, in both spellings', () => {
    expect(pathsOf({ kernelRelease: '4.12.14-lp151.28.10-default', arch: 'x86_64' }).slice(0, 2))
      .toEqual([
        'opensuse-leap/15.1/x86_64/4.12.14-lp151.28.10-default.btf.tar.xz',
        'opensuse-leap/15.1/x86_64/4.12.14-lp151.28.10.1-default.btf.tar.xz'
      ])
  })

  it('are narrowed by what else is said', () => {
    expect(pathsOf({ kernelRelease: '4.15.0-101-generic', distroVersion: 'bionic', arch: 'amd64' })).toEqual([
      'ubuntu/18.04/x86_64/4.15.0-101-generic.btf.tar.xz'
    ])
    expect(pathsOf({ kernelRelease: '3.10.0-1160.49.1.el7.x86_64', distro: 'rhel' })).toEqual([
      'rhel/7/x86_64/3.10.0-1160.49.1.el7.x86_64.btf.tar.xz'
    ])
    expect(pathsOf({ kernelRelease: '3.10.0-1160.49.1.el7.x86_64', distro: 'fedora' })).toEqual([])
  })

  it.each([
    '6.18.5', '6.1.0-custom', '5.15.0-76-microsoft', '5.4.0-7642-generic', '5.4.0-050400-generic', '5.4.17-1.el7.elrepo.x86_64',
    '6.1.0-1.xanmod1.fc37.x86_64', '5.10.0-kali3-amd64',
    '4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64', 'a12-5.10-2023-01-arm64'
  ])('%s are none, since nothing tells whose kernel it is', kernelRelease => {
    expect(pathsOf({ kernelRelease })).toEqual([])
  })
})

describe('every place', () => {
  const hostile = fc.oneof(
    fc.string(), fc.constantFrom('..', '.', '/', '../..', '%2e%2e', '\0', 'ubuntu', 'debian', 'sles', 'amzn', 'focal', '11', '2018.03'),
    fc.string({ unit: 'grapheme' })
  )
  const release = fc.oneof(
    hostile, fc.constantFrom('4.4.103-6.33-default', '5.4.0-42-generic', '3.10.0-1.el7.x86_64', '5.3.18-150300.59.43-default'),
    fc.string().map(text => `5.4.0-42-generic${text}`)
  )

  it('is a relative path of four safe parts, and there are few', () => {
    fc.assert(fc.property(fc.record(
      { release, distro: hostile, distroVersion: hostile, arch: hostile }, { requiredKeys: ['release'] }
    ), query => {
      const places = archivePlaces(query)
      expect(places.length).toBeLessThanOrEqual(MAX_ARCHIVE_PLACES)
      expect(new Set(places.map(({ path }) => path)).size).toBe(places.length)
      for (const { path } of places) {
        const parts = path.split('/')
        expect(parts).toHaveLength(4)
        expect(parts.every(part => isSegment(part) || isSegment(part.replace(/\.btf\.tar\.xz$/, '')))).toBe(true)
        expect(path).toMatch(/\.btf\.tar\.xz$/)
      }
    }), { numRuns: 2000 })
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IndexedPackage } from '../../../src/packages/published.js'
import { createPrimaryReader, parseRepomd } from '../../../src/packages/repomd.js'
import { findRpmKernels, isKernelRpm, parseRpmKernel } from '../../../src/packages/rpm-kernels.js'
import { runs } from '../../support/property-runs.js'

/** As createrepo_c 0.17 writes it. */
const REPOMD = `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1795961234</revision>
  <data type="primary">
    <checksum type="sha256">9c7df8c2fb2ac8ee5f6a2c4d8b7e7f0e3a5a3bb1c0a5d4b6b2a0ad2a8ef6e0a1</checksum>
    <open-checksum type="sha256">0c7df8c2fb2ac8ee5f6a2c4d8b7e7f0e3a5a3bb1c0a5d4b6b2a0ad2a8ef6e0a1</open-checksum>
    <location href="repodata/9c7df8c2-primary.xml.gz"/>
    <timestamp>1795961234</timestamp>
    <size>1122</size>
    <open-size>5678</open-size>
  </data>
  <data type="filelists">
    <checksum type="sha256">1c7df8c2fb2ac8ee5f6a2c4d8b7e7f0e3a5a3bb1c0a5d4b6b2a0ad2a8ef6e0a1</checksum>
    <location href="repodata/1c7df8c2-filelists.xml.gz"/>
  </data>
</repomd>
`

const packageXml = (name: string, version: string, release: string): string => `<package type="rpm">
  <name>${name}</name>
  <arch>x86_64</arch>
  <version epoch="0" ver="${version}" rel="${release}"/>
  <checksum type="sha256" pkgid="YES">${'ab'.repeat(32)}</checksum>
  <summary>The Linux kernel &amp; its core</summary>
  <time file="1719000000" build="1718900000"/>
  <size package="18123456" installed="70000000" archive="70100000"/>
  <location href="Packages/k/${name}-${version}-${release}.x86_64.rpm"/>
  <format>
    <rpm:license>GPLv2</rpm:license>
    <rpm:provides><rpm:entry name="kernel" flags="EQ" epoch="0" ver="6.9.7"/></rpm:provides>
    <file>/lib/modules/vmlinuz</file>
  </format>
</package>
`
const PRIMARY = `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
${packageXml('kernel-core', '6.9.7', '200.fc40')}${packageXml('bash', '5.2', '1.fc40')}</metadata>
`

describe('repomd.xml', () => {
  it('names the primary index and its own revision', () => {
    expect(parseRepomd(REPOMD)).toEqual({
      revision: 1_795_961_234,
      primary: {
        path: 'repodata/9c7df8c2-primary.xml.gz', sha256: '9c7df8c2fb2ac8ee5f6a2c4d8b7e7f0e3a5a3bb1c0a5d4b6b2a0ad2a8ef6e0a1', bytes: 1122
      }
    })
  })

  it.each([
    ['is no XML', 'not XML at all', 'The XML cannot be read'],
    ['defines entities', '<!DOCTYPE x [<!ENTITY a "b">]><repomd/>', 'document type'],
    ['names an index outside of it', REPOMD.replace('repodata/9c7df8c2', '../../9c7df8c2'), 'malformed hash or path'],
    ['has no primary index', '<repomd><revision>1</revision></repomd>', 'names no primary index']
  ])('is refused where it %s', (_what, text, message) => {
    expect(() => parseRepomd(text)).toThrow(message)
  })
})

describe('primary.xml', () => {
  const read = (pieces: readonly string[]): IndexedPackage[] => {
    const found: IndexedPackage[] = []
    const reader = createPrimaryReader(isKernelRpm, file => { found.push(file) })
    for (const piece of pieces) reader.write(piece)
    reader.end()
    return found
  }
  const expected = [{
    name: 'kernel-core',
    arch: 'x86_64',
    version: '6.9.7-200.fc40',
    path: 'Packages/k/kernel-core-6.9.7-200.fc40.x86_64.rpm',
    bytes: 18_123_456,
    sha256: 'ab'.repeat(32),
    builtAt: '2024-06-20T16:13:20.000Z'
  }]

  it('lists the kernels', () => { expect(read([PRIMARY])).toEqual(expected) })

  it('lists the same in whatever pieces it arrives', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: PRIMARY.length }), { maxLength: 30 }), cuts => {
      const edges = [0, ...cuts.sort((a, b) => a - b), PRIMARY.length]
      expect(read(edges.slice(1).map((end, i) => PRIMARY.slice(edges[i], end)))).toEqual(expected)
    }), runs(50))
  })
})

/** Package and version of each family, with `uname -r` of the kernel in it. */
const FAMILIES = [
  ['Fedora', 'kernel-core', '6.9.7-200.fc40', 'x86_64', '6.9.7-200.fc40.x86_64'],
  ['Rocky 9', 'kernel-core', '5.14.0-427.13.1.el9_4', 'aarch64', '5.14.0-427.13.1.el9_4.aarch64'],
  ['EL 9 with 64k pages', 'kernel-64k-core', '5.14.0-427.13.1.el9_4', 'aarch64', '5.14.0-427.13.1.el9_4.aarch64+64k'],
  ['EL 9.3 real-time', 'kernel-rt-core', '5.14.0-427.13.1.el9_4', 'x86_64', '5.14.0-427.13.1.el9_4.x86_64+rt'],
  ['EL 8 real-time', 'kernel-rt-core', '4.18.0-553.rt7.342.el8_10', 'x86_64', '4.18.0-553.rt7.342.el8_10.x86_64'],
  ['EL 7', 'kernel', '3.10.0-1160.el7', 'x86_64', '3.10.0-1160.el7.x86_64'],
  ['Amazon Linux 2', 'kernel', '5.10.217-205.860.amzn2', 'x86_64', '5.10.217-205.860.amzn2.x86_64'],
  ['Amazon Linux 2023', 'kernel', '6.1.92-99.174.amzn2023', 'aarch64', '6.1.92-99.174.amzn2023.aarch64'],
  ['Amazon Linux 2023, a later series', 'kernel6.12', '6.12.22-27.96.amzn2023', 'x86_64', '6.12.22-27.96.amzn2023.x86_64'],
  ['Oracle UEK 7', 'kernel-uek-core', '5.15.0-206.153.7.el9uek', 'x86_64', '5.15.0-206.153.7.el9uek.x86_64'],
  ['Oracle UEK 6', 'kernel-uek', '5.4.17-2136.330.7.1.el8uek', 'x86_64', '5.4.17-2136.330.7.1.el8uek.x86_64'],
  ['openSUSE Leap', 'kernel-default', '5.14.21-150500.55.44.1', 'x86_64', '5.14.21-150500.55.44-default'],
  ['SLE for Azure', 'kernel-azure', '6.4.0-150600.8.5.1', 'x86_64', '6.4.0-150600.8.5-azure']
] as const

describe('kernel packages', () => {
  it.each(FAMILIES)('of %s: %s %s has its release', (_family, name, version, arch, release) => {
    expect(parseRpmKernel(name, version, arch)).toMatchObject({ role: 'image', release })
    expect(isKernelRpm(name)).toBe(true)
  })

  it.each([
    'kernel-headers', 'kernel-devel', 'kernel-tools', 'kernel-debuginfo', 'kernel-srpm-macros', 'kernel-default-devel',
    'kernel-core-debuginfo', 'kernel-uek-devel'
  ])('do not include %s', name => {
    expect(isKernelRpm(name)).toBe(false)
  })

  it('are one kernel with its modules; the metapackage beside kernel-core is none', () => {
    const file = (name: string, bytes: number): IndexedPackage => ({
      name,
      version: '5.14.0-427.13.1.el9_4',
      arch: 'x86_64',
      path: `Packages/${name}.rpm`,
      bytes,
      sha256: Buffer
        .from(name.padEnd(32))
        .toString('hex')
    })
    const repository = { distro: 'rocky', distroVersion: '9', signers: { keys: {} } }
    const [kernel, ...others] = findRpmKernels([
      file('kernel', 5_000_000), file(
        'kernel-core', 20_000_000
      ), file('kernel-modules-extra', 3_000_000), file('kernel-modules', 30_000_000), file('kernel-modules-core', 30_000_000)
    ], repository)
    expect(others).toEqual([])
    expect(kernel?.reference).toEqual({ distro: 'rocky', distroVersion: '9', arch: 'x86_64', release: '5.14.0-427.13.1.el9_4.x86_64' })
    expect(kernel?.image.name).toBe('kernel-core')
    expect(kernel?.modules.map(({ name }) => name)).toEqual([
      'kernel-modules-core', 'kernel-modules', 'kernel-modules-extra', 'kernel-core'
    ])
  })
})

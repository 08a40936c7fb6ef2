import { describe, expect, it } from 'vitest'
import { inferFromRelease } from '../../../src/identity/infer.js'

describe('a release', () => {
  it.each([
    ['4.14.101-91.76.amzn2.aarch64', 'amzn', '2', 'arm64'],
    ['6.1.21-1.45.amzn2023.x86_64', 'amzn', '2023', 'x86_64'],
    ['5.8.18-100.fc31.x86_64', 'fedora', '31', 'x86_64'],
    ['5.8.18-100.fc31.x86_64+debug', 'fedora', '31', 'x86_64'],
    ['5.0.0-0.rc8.git1.1.fc31.x86_64', 'fedora', '31', 'x86_64'],
    ['4.14.35-1902.0.18.el7uek.aarch64', 'ol', '7', 'arm64'],
    ['5.4.17-2136.302.7.2.1.el8uek.x86_64', 'ol', '8', 'x86_64'],
    ['3.10.0-1127.el7.centos.plus.x86_64', 'centos', '7', 'x86_64'],
    ['6.12.117+deb13-cloud-amd64', 'debian', '13', 'x86_64'],
    ['5.10.0-0.deb10.17-cloud-amd64', 'debian', '10', 'x86_64'],
    ['4.12.14-lp151.28.10-default', 'opensuse-leap', '15.1', undefined],
    ['5.10.0-136.14.2.90.oe2203sp1.aarch64', 'openEuler', '22.03', 'arm64'],
    ['4.19.90-2012.4.0.0053.oe1.aarch64', 'openEuler', undefined, 'arm64'],
    ['4.19.90-52.22.v2207.ky10.aarch64', 'kylin', 'V10', 'arm64'],
    ['4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64', 'bclinux', undefined, 'x86_64']
  ])('%s proves %s %s on %s', (release, distro, distroVersion, arch) => {
    expect(inferFromRelease(release)).toMatchObject({ distro, distroVersion, arch })
  })

  it.each([
    ['3.10.0-1160.49.1.el7.x86_64', 'x86_64', ['centos/7', 'rhel/7', 'ol/7']],
    ['4.18.0-147.0.2.el8_1.aarch64', 'arm64', ['centos/8', 'rhel/8', 'ol/8', 'rocky/8', 'almalinux/8']],
    ['4.18.0-305.rt7.72.el8.x86_64', 'x86_64', ['centos/8', 'rhel/8', 'ol/8', 'rocky/8', 'almalinux/8']],
    ['5.4.0-42-generic', undefined, ['ubuntu/20.04', 'ubuntu/18.04']],
    ['5.15.0-76-generic', undefined, ['ubuntu/22.04', 'ubuntu/20.04']],
    ['6.17.0-14-generic', undefined, ['ubuntu/25.10', 'ubuntu/24.04']],
    ['6.11.0-19-generic', undefined, ['ubuntu/24.10', 'ubuntu/24.04']],
    ['5.13.0-52-generic', undefined, ['ubuntu/21.10', 'ubuntu/20.04']],
    ['6.5.0-44-generic', undefined, ['ubuntu/23.10', 'ubuntu/22.04']],
    ['4.14.0-115.el7a.aarch64', 'arm64', ['centos/7', 'rhel/7', 'ol/7']],
    ['5.14.0-362.24.1.el9_3.0.1.x86_64', 'x86_64', ['centos/9', 'rhel/9', 'ol/9', 'rocky/9', 'almalinux/9']],
    ['4.19.0-17-amd64', 'x86_64', ['debian/10']],
    ['5.10.0-9-cloud-amd64', 'x86_64', ['debian/11']],
    ['5.3.18-150300.59.43-default', undefined, ['sles/15.3', 'opensuse-leap/15.3']],
    ['4.12.14-122.103-default', undefined, ['sles/12.5', 'sles/12.4', 'sles/15.1', 'sles/15']]
  ])('%s proves no distribution, though few have such a kernel', (release, arch, platforms) => {
    const facts = inferFromRelease(release)
    expect(facts).toMatchObject({ distro: undefined, distroVersion: undefined, arch })
    expect(facts.platforms.map(({ distro, distroVersion }) => `${distro}/${distroVersion}`)).toEqual(platforms)
  })

  it.each([
    '', '6.18.5', '5.4.0-42-generic-custom', '5.15.90.1-microsoft-standard-WSL2', '4.19.0-17-amd64-unsigned', '3.10.0.el7', 'x86_64',
    '6.11.2-arch1-1', '5.10.110-150.224.talos', '5.4.1-amzn2', '1.fc31'
  ])('%j says nothing of whose it is', release => {
    expect(inferFromRelease(release)).toMatchObject({ distro: undefined, distroVersion: undefined, platforms: [] })
  })

  it.each(['1.', 'rc1.', '1a.', 'git', '20200101git', '-', '1-', '1.el8.'])('that repeats %j ten thousand times costs no time', part => {
    expect(inferFromRelease(`5.4.0-${part.repeat(10_000)}!`).platforms).toEqual([])
  })
})

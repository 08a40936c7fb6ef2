import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readBelowRoot } from '../../../src/identity/below-root.js'
import { hostPlatform, type HostEvidence } from '../../../src/identity/host-platform.js'
import { parseOsRelease } from '../../../src/identity/os-release.js'
import { temporaryFolder } from '../service/lab.js'

/** os-release as real systems have it. */
const osReleaseOf = (system: string): string => readFileSync(new URL(`../../fixtures/os-release/${system}`, import.meta.url), 'utf8')

/** What the kernel says that each of them runs. */
const SYSTEMS: ReadonlyArray<readonly [system: string, release: string, kernelVersion: string, platform: string]> = [
  ['amzn1', '4.14.355-195.598.amzn1.x86_64', '#1 SMP Wed Oct 2', 'amzn/2018.03'],
  ['arch', '6.11.2-arch1-1', '#1 SMP PREEMPT_DYNAMIC Fri, 04 Oct 2024 21:51:11 +0000', 'arch/rolling'],
  ['bottlerocket', '5.15.148', '#1 SMP Fri Feb 9 03:33:24 UTC 2024', 'bottlerocket/1.19.5'],
  ['cos', '6.6.44+', '#1 SMP PREEMPT_DYNAMIC Tue Aug 13', 'cos/117'],
  ['deb12', '6.1.0-18-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)', 'debian/12'],
  ['devuan', '6.1.0-18-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)', 'debian/12'],
  ['flatcar', '5.15.132-flatcar', '#1 SMP Fri Sep 22', 'flatcar/3510.2.8'],
  ['mint20', '5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020', 'ubuntu/20.04'],
  ['mint20', '5.15.0-91-generic', '#101~20.04.1-Ubuntu SMP Thu Nov 16 14:22:28 UTC 2023', 'ubuntu/20.04'],
  ['mint20', '5.4.0-1111-oem', '#1-Ubuntu SMP', 'linuxmint/20.3'],
  ['nix', '6.1.56-2.ph5', '#1-photon SMP Tue Oct 10', 'photon/5.0'],
  ['rhcos414', '5.14.0-284.36.1.el9_2.x86_64', '#1 SMP PREEMPT_DYNAMIC Thu Oct 5 08:11:31 EDT 2023', 'rhcos/4.14'],
  ['rocky9', '5.14.0-362.24.1.el9_3.0.1.x86_64', '#1 SMP PREEMPT_DYNAMIC Thu Apr 4 22:31:43 UTC 2024', 'rocky/9.3'],
  ['rpi', '6.6.31+rpt-rpi-v7', '#1 SMP Raspbian 1:6.6.31-1+rpt1 (2024-05-29)', 'raspbian/12'],
  ['deb12', '6.6.31+rpt-rpi-v8', '#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)', 'raspbian/12'],
  ['slemicro55', '5.14.21-150500.55.31-default', '#1 SMP PREEMPT_DYNAMIC Tue Oct 3', 'sle-micro/5.5'],
  ['slessap15', '5.3.18-150300.59.43-default', '#1 SMP Sun Jan 23 19:27:23 UTC 2022', 'sles_sap/15.3'],
  ['talos', '6.1.58-talos', '#1 SMP Mon Oct 16 13:18:26 UTC 2023', 'talos/v1.5.5'],
  ['trixie', '6.12.38+deb13-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.12.38-1 (2025-07-16)', 'debian/13'],
  // A kernel may outlive the upgrade of what is around it, and says so in its release.
  ['trixie', '6.12.117+deb12-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1~deb12u1 (2026-11-14)', 'debian/12'],
  ['ubuntu1804', '5.4.0-42-generic', '#46~18.04.1-Ubuntu SMP Fri Jul 10 07:21:24 UTC 2020', 'ubuntu/18.04'],
  ['ubuntu2004', '5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020', 'ubuntu/20.04']
]

const evidence = (system: string, release: string, kernelVersion: string, given?: HostEvidence['given']): HostEvidence =>
  ({ osRelease: parseOsRelease(osReleaseOf(system)), root: '/host', release, kernelVersion, given })

describe('the platform of a host', () => {
  it.each(SYSTEMS)('with the os-release of %s and kernel %s (%s) is %s', (system, release, kernelVersion, platform) => {
    const named = hostPlatform(evidence(system, release, kernelVersion))
    expect('problem' in named ? named.problem : `${named.platform.distro}/${named.platform.distroVersion}`).toBe(platform)
  })

  it.each([
    ['ubuntu2004', '5.4.0-42-generic', '#46~18.04.1-Ubuntu SMP Fri Jul 10 07:21:24 UTC 2020', 'is that of ubuntu 18.04'],
    ['deb12', '5.15.0-91-generic', '#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023', 'is that of ubuntu'],
    ['deb12', '5.10.0-9-cloud-amd64', '#1 SMP Debian 5.10.83-1gardenlinux1 (2021-12-17)', 'is that of gardenlinux'],
    [
      'deb12', '5.14.0-362.8.1.el9_3.x86_64', '#1 SMP PREEMPT_DYNAMIC Tue Nov 7',
      'is called as those of centos, rhel, ol, rocky, almalinux are'
    ],
    ['rocky9', '5.8.18-100.fc31.x86_64', '#1 SMP Mon Nov 2', 'is that of fedora']
  ])('is not told by the file of a container: %s with kernel %s (%s)', (system, release, kernelVersion, why) => {
    const named = hostPlatform(evidence(system, release, kernelVersion))
    expect('problem' in named ? named.problem : named).toMatch(
      new RegExp(`^os-release below /host says .*${why}; that file is probably a container's: mount the host's root`)
    )
  })

  it('is asked of an operator only where there is one to say it', () => {
    const unknown = { ...evidence('deb12', '6.6.1', '#1 SMP'), osRelease: undefined }
    expect(hostPlatform(unknown)).toMatchObject({ problem: expect.not.stringContaining('--distro') })
    expect(hostPlatform({ ...unknown, given: {} })).toMatchObject({ problem: expect.stringContaining('or say what it is with --distro') })
  })

  it('is what an operator says, unless the kernel says otherwise', () => {
    const given = { distro: 'rhel', distroVersion: '9' }
    expect(hostPlatform(evidence('deb12', '5.14.0-362.8.1.el9_3.x86_64', '#1 SMP', given))).toMatchObject({ platform: given })
    expect(hostPlatform(evidence('deb12', '5.15.0-91-generic', '#101-Ubuntu SMP', given))).toMatchObject({
      problem: expect.stringMatching(
        /^--distro and --distro-version say rhel 9, but kernel 5\.15\.0-91-generic .* is that of ubuntu; give what the kernel is\.$/
      )
    })
    expect(hostPlatform({ ...evidence('deb12', '6.6.1', '#1 SMP', { distroVersion: 'myown' }) })).toMatchObject({
      platform: { distro: 'debian', distroVersion: 'myown' }
    })
  })
})

describe('a file below a root', () => {
  it.each([
    ['a relative link', '../usr/lib/os-release'],
    ['an absolute link, which is one from that root', '/usr/lib/os-release'],
    ['a link that climbs out, which no root lets it', '../../../../../usr/lib/os-release'],
    ['a chain of links', '/etc/static/os-release']
  ])('is found by %s', async (_, target) => {
    const root = await temporaryFolder()
    await mkdir(join(root, 'etc'), { recursive: true })
    await mkdir(join(root, 'usr/lib'), { recursive: true })
    await mkdir(join(root, 'nix/store/abc'), { recursive: true })
    await writeFile(join(root, 'usr/lib/os-release'), 'ID=inside\n')
    await symlink('/nix/store/abc', join(root, 'etc/static'))
    await symlink('/usr/lib/os-release', join(root, 'nix/store/abc/os-release'))
    await symlink(target, join(root, 'etc/os-release'))
    expect(await readBelowRoot(root, 'etc/os-release')).toBe('ID=inside\n')
  })

  it('is none behind a loop, behind what is not there, and where it is a folder or too large', async () => {
    const root = await temporaryFolder()
    await mkdir(join(root, 'etc'))
    await symlink('/etc/b', join(root, 'etc/a'))
    await symlink('a', join(root, 'etc/b'))
    await symlink('/etc/passwd', join(root, 'etc/outside'))
    await writeFile(join(root, 'etc/large'), 'x'.repeat(300_000))
    for (const path of ['etc/a', 'etc/outside', 'etc', 'etc/large', 'etc/nothing', 'etc/large/below']) {
      expect(await readBelowRoot(root, path), path).toBeUndefined()
    }
  })
})

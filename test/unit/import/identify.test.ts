import { describe, expect, it } from 'vitest'
import type { Evidence } from '../../../src/identity/evidence.js'
import { identify } from '../../../src/import/identify.js'
import { debEvidence, rpmEvidence } from '../../../src/formats/package-evidence.js'
import { evidenceOfPath } from '../../../src/identity/tree-path.js'
import { formatReference } from '../../../src/identity/reference.js'

function nameOf (evidence: Evidence, given: Evidence = {}): string {
  const identified = identify(evidence, given)
  return 'reason' in identified ? identified.reason : formatReference(identified.reference)
}

const rpm = (facts: Partial<Parameters<typeof rpmEvidence>[0]>): Evidence =>
  rpmEvidence({ name: 'kernel-core', version: '', release: '', distribution: '', vendor: '', arch: 'x86_64', disturl: '', ...facts })

describe('the kernel that a file is of', () => {
  it.each<[string, Evidence, string]>([
    ['Debian\'s own, by its banner and series', {
      release: '6.1.0-50-amd64', arch: 'x86_64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)'
    }, 'debian/12/x86_64/6.1.0-50-amd64'],
    ['Debian\'s newer kernel for 12, by its release', {
      release: '6.12.117+deb12-cloud-amd64', arch: 'x86_64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1~deb12u1 (2026-11-14)'
    }, 'debian/12/x86_64/6.12.117+deb12-cloud-amd64'],
    ['Ubuntu\'s newer kernel for 20.04, by its mark', {
      release: '5.15.0-91-generic', arch: 'x86_64', kernelVersion: '#101~20.04.1-Ubuntu SMP Thu Nov 16 14:22:28 UTC 2023'
    }, 'ubuntu/20.04/x86_64/5.15.0-91-generic'],
    ['Ubuntu\'s own, which has no mark', {
      release: '5.15.0-91-generic', arch: 'x86_64', kernelVersion: '#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023'
    }, 'ubuntu/22.04/x86_64/5.15.0-91-generic'],
    ['Fedora\'s, by its release alone', { release: '5.8.18-100.fc31.x86_64' }, 'fedora/31/x86_64/5.8.18-100.fc31.x86_64'],
    ['CentOS\'s, by the vendor of its package', {
      release: '4.18.0-305.25.1.el8_4.x86_64', arch: 'x86_64', ...rpm({ vendor: 'CentOS', release: '305.25.1.el8_4' })
    }, 'centos/8/x86_64/4.18.0-305.25.1.el8_4.x86_64'],
    ['Red Hat\'s of the same release', {
      release: '4.18.0-305.25.1.el8_4.x86_64', arch: 'x86_64', ...rpm({ vendor: 'Red Hat, Inc.', release: '305.25.1.el8_4' })
    }, 'rhel/8/x86_64/4.18.0-305.25.1.el8_4.x86_64'],
    [
      'SUSE\'s, by where it was built',
      {
        release: '5.3.18-150300.59.43-default',
        ...rpm({
          vendor: 'SUSE LLC <https://www.suse.com/>',
          disturl: 'obs://build.suse.de/SUSE:Maintenance:22345/SUSE_SLE-15-SP3_Update/abc-kernel-default'
        })
      },
      'sles/15.3/x86_64/5.3.18-150300.59.43-default'
    ]
  ])('is %s', (_, evidence, reference) => {
    expect(nameOf(evidence)).toBe(reference)
  })

  it.each<[string, Evidence, string]>([
    [
      'a rebuild of Red Hat\'s kernel of unknown make', { release: '4.18.0-305.25.1.el8_4.x86_64', arch: 'x86_64' },
      '--distro … --distro-version …'
    ],
    ['raw BTF without a name', {}, '--release … --arch … --distro … --distro-version …'],
    [
      'a vanilla kernel', { release: '6.6.10', arch: 'arm64', kernelVersion: '#1 SMP Fri Jan 5 15:24:54 UTC 2024' },
      '--distro … --distro-version …'
    ],
    [
      'Ubuntu\'s kernel of a flavour that has histories of its own',
      { release: '5.15.0-1050-oracle', arch: 'x86_64', kernelVersion: '#56-Ubuntu SMP Thu Nov 9' }, '--distro-version …'
    ]
  ])('is not guessed for %s', (_, evidence, options) => {
    expect(nameOf(evidence)).toContain(`give ${options}`)
  })

  it('is what the caller says, where the caller says it', () => {
    expect(nameOf({ release: '4.18.0-305.25.1.el8_4.x86_64', arch: 'x86_64' }, { distro: 'rocky', distroVersion: '8' })).toBe(
      'rocky/8/x86_64/4.18.0-305.25.1.el8_4.x86_64'
    )
    expect(nameOf({}, { release: '6.6.10', arch: 'aarch64', distro: 'myos', distroVersion: '1' })).toBe('myos/1/arm64/6.6.10')
    expect(nameOf({ release: '6.6.10', arch: 'arm64' }, { distro: '../x', distroVersion: '1' })).toContain(
      'cannot be part of a kernel\'s name'
    )
  })

  it('is refused where release and file are for different architectures', () => {
    expect(nameOf({ release: '5.8.18-100.fc31.aarch64', arch: 'x86_64' })).toContain('is one for arm64, but the file is for x86_64')
  })

  it('is told by Debian\'s and Ubuntu\'s packages as far as their version does', () => {
    expect(debEvidence(new Map([
      ['architecture', 'arm64'], ['version', '5.10.120-1~bpo10+1'], ['maintainer', 'Debian Kernel Team <debian-kernel@lists.debian.org>']
    ]))).toMatchObject({ arch: 'arm64', distro: 'debian', distroVersion: '10' })
    expect(debEvidence(new Map([
      ['architecture', 'amd64'], ['version', '5.15.0-91.101~20.04.1'], ['maintainer', 'Ubuntu Kernel Team <kernel-team@lists.ubuntu.com>']
    ]))).toMatchObject({ arch: 'x86_64', distro: 'ubuntu', distroVersion: '20.04' })
    expect(debEvidence(new Map([['architecture', 'amd64'], ['version', '1.0'], ['maintainer', 'Me <me@example.org>']]))).toMatchObject({
      arch: 'x86_64'
    })
  })

  it('is read out of a path in BTFHub\'s layout, and out of no other', () => {
    const ubuntu = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }
    expect(evidenceOfPath('archive/ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz', 4)).toEqual(ubuntu)
    expect(evidenceOfPath('ubuntu/20.04/x86_64/5.4.0-42-generic.btf', 0)).toEqual(ubuntu)
    expect(evidenceOfPath('archive/myos/1/aarch64/6.1.btf.tar.xz', 4)).toMatchObject({ distro: 'myos', arch: 'arm64' })
    expect(evidenceOfPath('srv/btf/x86_64/6.1.btf.tar.xz', 0)).toEqual({})
    expect(evidenceOfPath('archive/1/x86_64/4.14.42-52.37.amzn1.x86_64.btf.tar.xz', 3)).toEqual({})
    expect(evidenceOfPath('archive/ubuntu/20.04/notes/5.4.0-42-generic.btf.tar.xz', 4)).toEqual({})
  })
})

import { describe, expect, it } from 'vitest'
import { normalizeArch } from '../../../src/identity/arch.js'
import { parseOsRelease } from '../../../src/identity/os-release.js'
import { formatQuery, formatReference, parseQuery, parseReference } from '../../../src/identity/reference.js'
import { refusal } from '../../support/scenario.js'

const UBUNTU = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }

describe('a kernel reference', () => {
  it('is read and written the same', () => {
    expect(parseReference('ubuntu/20.04/x86_64/5.4.0-42-generic')).toEqual(UBUNTU)
    expect(formatReference(UBUNTU)).toBe('ubuntu/20.04/x86_64/5.4.0-42-generic')
  })

  it('keeps capitals and every allowed sign, and takes other spellings of the architecture', () => {
    expect(parseReference('openEuler/20.03/aarch64/4.19.90-2012.4.0.0053.oe1+x~y_z.aarch64'))
      .toEqual({ distro: 'openEuler', distroVersion: '20.03', arch: 'arm64', release: '4.19.90-2012.4.0.0053.oe1+x~y_z.aarch64' })
  })

  it.each([
    '', '/', 'a/b/c', 'a/b/c/d/e', 'a//c/d', './b/c/d', 'a/../c/d', 'a/b/c/d e', 'a/b/c/d\n', `a/b/c/${'d'.repeat(129)}`, 'a/b/c/é',
    'a/b/c/%2e', 'a/b/c/d\0'
  ])('is refused as %j', text => {
    expect(refusal('invalid_request', () => parseReference(text)).details).toHaveProperty('field')
  })
})

describe('a kernel query', () => {
  it('is narrowed by what the kernel says of its maker', () => {
    const query = (kernelRelease: string, kernelVersion: string) => {
      const { distro, distroVersion } = parseQuery({
        kernelRelease, kernelVersion
      }); return [distro, distroVersion]
    }
    expect(query('6.11.0-19-generic', '#19-Ubuntu SMP PREEMPT_DYNAMIC Wed Feb 12 21:43:43 UTC 2025')).toEqual(['ubuntu', '24.10'])
    expect(query('6.11.0-19-generic', '#19~24.04.1-Ubuntu SMP PREEMPT_DYNAMIC Mon Feb 17')).toEqual(['ubuntu', '24.04'])
    expect(query('6.1.0-1036-oem', '#36-Ubuntu SMP')).toEqual([undefined, undefined])
    expect(parseQuery({ kernelRelease: '6.11.0-19-generic', distro: 'mine', kernelVersion: '#19-Ubuntu SMP' })).toMatchObject({
      distro: 'mine'
    })
  })

  it('is refused where the kernel says that it is another distribution\'s', () => {
    for (const [name, kernelVersion, why] of [
      ['ubuntu/20.04/x86_64/5.4.0-42-generic', '#46~18.04.1-Ubuntu SMP Fri Jul 10', 'is that of ubuntu 18.04'],
      ['debian/11/x86_64/5.10.0-9-cloud-amd64', '#1 SMP Debian 5.10.83-1gardenlinux1 (2021-12-17)', 'is that of gardenlinux'],
      ['debian/12/arm64/6.6.31+rpt-rpi-v8', '#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)', 'is that of raspbian']
    ] as const) {
      const error = refusal('invalid_request', () => parseQuery({ kernelRelease: name, kernelVersion }))
      expect(error.details).toEqual({ field: 'kernel_version' })
      expect(error.message).toContain(why)
    }
  })

  it('is a bare release with whatever narrows it', () => {
    expect(parseQuery({ kernelRelease: '6.1.0', arch: 'amd64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)' }))
      .toEqual({ release: '6.1.0', arch: 'x86_64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)' })
    expect(formatQuery({ release: '6.1.0', arch: 'x86_64' })).toBe('6.1.0')
  })

  it('is a whole reference, alone or taken together from its fields', () => {
    const whole = parseQuery({ kernelRelease: 'ubuntu/20.04/amd64/5.4.0-42-generic', distro: 'ubuntu', arch: 'x86_64' })
    const parts = parseQuery({ kernelRelease: '5.4.0-42-generic', distro: 'ubuntu', distroVersion: '20.04', arch: 'amd64' })
    expect(whole).toEqual(UBUNTU)
    expect(parts).toEqual(UBUNTU)
    expect(formatQuery(parts)).toBe('ubuntu/20.04/x86_64/5.4.0-42-generic')
  })

  it('may not contradict itself', () => {
    expect(refusal('invalid_request', () => parseQuery({ kernelRelease: 'ubuntu/20.04/x86_64/5.4', arch: 'arm64' })).details).toEqual({
      field: 'arch'
    })
  })

  it.each([
    {
      kernelRelease: '6.1 generic'
    }, { kernelRelease: '..' }, { kernelRelease: '6.1', distro: 'a/b' }, { kernelRelease: '6.1', kernelVersion: '' },
    { kernelRelease: '6.1', kernelVersion: 'a\nb' }, { kernelRelease: '6.1', kernelVersion: 'x'.repeat(257) }
  ])('is refused as %j', fields => {
    refusal('invalid_request', () => parseQuery(fields))
  })
})

describe('an architecture', () => {
  it.each([
    ['aarch64', 'arm64'], ['AMD64', 'x86_64'], ['i686', 'x86'], ['armv7l', 'arm'], ['ppc64le', 'ppc64le'], ['loongarch64', 'loongarch64']
  ])('%s is %s', (name, normal) => {
    expect(normalizeArch(name)).toBe(normal)
  })
})

describe('os-release', () => {
  it('is read with and without quotes, comments and carriage returns', () => {
    expect(parseOsRelease(
      '# comment\nNAME="Some \\"Linux\\""\r\nID=debian\r\nVERSION_ID="12"\nVERSION_CODENAME=\'bookworm\'\nID_LIKE="x y"\nbroken line\n'
    ))
      .toEqual({ id: 'debian', versionId: '12', versionCodename: 'bookworm', idLike: ['x', 'y'] })
  })

  it('lets the last of equal names count, and empty ones not', () => {
    expect(parseOsRelease('ID=a\nID="b"\nVERSION_ID=\n')).toEqual({ id: 'b', versionId: undefined, versionCodename: undefined, idLike: [] })
  })
})

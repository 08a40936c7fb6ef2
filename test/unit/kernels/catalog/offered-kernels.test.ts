import { describe, expect, it } from 'vitest'
import { createOfferedKernels, type OfferedKernel } from '../../../../src/kernels/catalog/offered-kernels.js'
import { formatReference, parseQuery } from '../../../../src/identity/reference.js'

const pathOf = (name: string): string => `${name}.btf.tar.xz`
const offer = (...names: string[]) => createOfferedKernels([{ source: 'btfhub', paths: names.map(pathOf) }])
const namesOf = (kernels: Iterable<OfferedKernel>): string[] => [...kernels].map(({ reference }) => formatReference(reference))
const query = (kernelRelease: string) => parseQuery({ kernelRelease })

describe('what sources offer', () => {
  it('is found by release, in every distribution that has it, with those who have it', () => {
    const kernels = createOfferedKernels([
      { source: 'btfhub', paths: ['centos/7/x86_64/3.10.0-1160.49.1.el7.x86_64', 'rhel/7/x86_64/3.10.0-1160.49.1.el7.x86_64'].map(pathOf) },
      { source: 'directory', paths: ['rhel/7/x86_64/3.10.0-1160.49.1.el7.x86_64', 'own/1/aarch64/1.2.3'].map(pathOf) }
    ])
    expect(kernels.size).toBe(3)
    expect(kernels.byRelease('3.10.0-1160.49.1.el7.x86_64').map(({ reference, sources }) => [reference.distro, ...sources])).toEqual([
      ['centos', 'btfhub'], ['rhel', 'btfhub', 'directory']
    ])
    expect(kernels.byRelease('3.10.0')).toEqual([])
  })

  it('keeps the spelling of a folder in its path, and has the architecture by its usual name', () => {
    expect(offer('own/1/aarch64/1.2.3').byRelease('1.2.3')).toEqual([
      {
        reference: { distro: 'own', distroVersion: '1', arch: 'arm64', release: '1.2.3' },
        path: 'own/1/aarch64/1.2.3.btf.tar.xz',
        sources: ['btfhub']
      }
    ])
  })

  it('is matched by any spelling of the platform, and of the release', () => {
    const kernels = offer(
      'debian/bullseye/x86_64/5.10.0-9-amd64', 'debian/10/x86_64/5.10.0-9-amd64', 'amzn/1/x86_64/4.14.70-67.55.amzn1.x86_64',
      'sles/12.3/x86_64/4.4.103-6.33.1-default'
    )
    expect(namesOf(kernels.matching(query('debian/11/amd64/5.10.0-9-amd64')))).toEqual(['debian/bullseye/x86_64/5.10.0-9-amd64'])
    expect(namesOf(kernels.matching(query('amzn/2018.03/x86_64/4.14.70-67.55.amzn1.x86_64')))).toEqual([
      'amzn/1/x86_64/4.14.70-67.55.amzn1.x86_64'
    ])
    expect(namesOf(kernels.matching(query('sles/12.3/x86_64/4.4.103-6.33-default')))).toEqual(['sles/12.3/x86_64/4.4.103-6.33.1-default'])
    expect(namesOf(kernels.matching(query('5.10.0-9-amd64')))).toEqual([
      'debian/10/x86_64/5.10.0-9-amd64', 'debian/bullseye/x86_64/5.10.0-9-amd64'
    ])
    expect(namesOf(kernels.matching(query('rhel/7/x86_64/5.10.0-9-amd64')))).toEqual([])
  })

  it('is listed in order, by folders, from anywhere on', () => {
    const all = ['debian/10/arm64/5.1', 'debian/10/x86_64/5.1', 'debian/10/x86_64/5.2', 'debian/9/x86_64/5.0', 'ubuntu/20.04/x86_64/5.4']
    const kernels = offer(...[...all].reverse())
    expect(namesOf(kernels.list({}))).toEqual(all)
    for (const [at, name] of all.entries()) expect(namesOf(kernels.list({}, name))).toEqual(all.slice(at + 1))
    expect(namesOf(kernels.list({}, 'debian/10/x86_64/5.10'))).toEqual(all.slice(2))
    expect(namesOf(kernels.list({ distro: 'debian', distroVersion: 'buster', arch: 'x86_64' }, 'debian/10/x86_64/5.1'))).toEqual([
      'debian/10/x86_64/5.2'
    ])
    expect(namesOf(kernels.list({ distroVersion: 'focal' }))).toEqual(['ubuntu/20.04/x86_64/5.4'])
    expect(namesOf(kernels.list({ distro: 'fedora' }))).toEqual([])
  })

  it('is near by its numbers, of fifty thousand', () => {
    const many = Array.from({ length: 50_000 }, (_, i) => `ubuntu/20.04/x86_64/5.4.0-${i * 2}-generic`)
    const kernels = offer(...many, 'ubuntu/18.04/x86_64/4.15.0-99999-generic', 'ubuntu/20.04/arm64/5.4.0-4243-generic')
    expect(kernels.nearest(query('5.4.0-4243-generic'), 3)).toEqual([
      'ubuntu/20.04/arm64/5.4.0-4243-generic', 'ubuntu/20.04/x86_64/5.4.0-4242-generic', 'ubuntu/20.04/x86_64/5.4.0-4244-generic'
    ])
    expect(kernels.nearest(query('ubuntu/20.04/x86_64/5.4.0-999999-generic'), 1)).toEqual(['ubuntu/20.04/x86_64/5.4.0-99998-generic'])
    expect(kernels.nearest(query('6.1.0-1-amd64'), 3)).toEqual([])
    expect([...kernels.list({ arch: 'arm64' })]).toHaveLength(1)
  })
})

import { describe, expect, it } from 'vitest'
import { archivePlaces } from '../../../../src/identity/archive-places.js'
import { inPublicArchive } from '../../../../src/kernels/sources/public-archive.js'

const pathsOf = (distro: string, distroVersion: string): string[] =>
  inPublicArchive(archivePlaces({ distro, distroVersion, arch: 'x86_64', release: '5.4.0-42-generic' })).map(({ path }) => path)

describe("BTFHub's public archive", () => {
  it('is asked for distributions that it has', () => {
    expect(pathsOf('ubuntu', 'focal')).toEqual(['ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz'])
  })

  it('is not asked for those that it does not have', () => {
    for (const distro of ['rocky', 'kylin', 'board']) expect(pathsOf(distro, '1')).toEqual([])
  })
})

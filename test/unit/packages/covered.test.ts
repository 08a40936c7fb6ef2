import { describe, expect, it } from 'vitest'
import { normalizeArch } from '../../../src/identity/arch.js'
import { canonicalPlatform } from '../../../src/identity/platform.js'
import { COVERED, COVERED_ARCHES, presetCovering } from '../../../src/packages/covered.js'
import { PRESETS } from '../../../src/packages/presets.js'
import { readRepositories } from '../../../src/packages/read-repositories.js'

describe('what presets cover', () => {
  it('is what they have', () => {
    const all = Object.keys(PRESETS).map(preset => {
      const platforms = readRepositories([preset]).map(canonicalPlatform)
      const versions = [...new Set(platforms.map(({ distroVersion }) => distroVersion))]
      return [preset, { distro: PRESETS[preset]?.distro, versions: versions.sort((a, b) => Number(a) - Number(b)) }]
    })
    expect(COVERED).toEqual(Object.fromEntries(all))
    for (const { arches } of Object.values(PRESETS)) expect(new Set(arches.map(normalizeArch))).toEqual(COVERED_ARCHES)
  })

  it.each([
    ['debian', 'bookworm', 'x86_64', 'debian'], ['rocky', '9.3', 'arm64', 'rocky'], ['ol', '8.9', 'x86_64', 'oraclelinux'],
    ['debian', '9', 'x86_64', undefined], ['rhel', '9', 'x86_64', undefined], ['ubuntu', '22.04', 's390x', undefined]
  ])('tells of %s/%s/%s which preset may have its kernels', (distro, distroVersion, arch, preset) => {
    expect(presetCovering({ distro, distroVersion, arch: normalizeArch(arch), release: '6.1.0-50-amd64' })).toBe(preset)
  })

  it('is not what Proxmox has, whose nodes say that they are Debian', () => {
    for (const release of ['6.8.12-4-pve', '5.15.143-1-pve', '6.17.2-1-pve']) {
      expect(presetCovering({ distro: 'debian', distroVersion: '12', arch: 'x86_64', release })).toBeUndefined()
    }
  })
})

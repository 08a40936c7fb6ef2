import { describe, expect, it } from 'vitest'
import { PRESETS } from '../../../src/packages/presets.js'
import { readRepositories } from '../../../src/packages/read-repositories.js'
import { readKeyring } from '../../../src/packages/signature.js'

describe('the presets', () => {
  it.each(Object.keys(PRESETS))('of %s have keys with the fingerprints under which they are pinned', async name => {
    const keys = Object.entries(PRESETS[name]?.keys ?? {})
    expect(keys.length).toBeGreaterThan(0)
    for (const [fingerprint, key] of keys) {
      const ring = await readKeyring(Buffer.from(key, 'base64'), name, [fingerprint])
      expect(ring.keys.map(({ getFingerprint }) => typeof getFingerprint)).toEqual(['function'])
    }
  })

  // As the templates of mock, yum.oracle.com and Amazon's own settings have them.
  it.each([
    ['fedora', 'https://dl.fedoraproject.org/pub/fedora/linux/releases/44/Everything/x86_64/os/'],
    ['fedora', 'https://dl.fedoraproject.org/pub/fedora/linux/updates/44/Everything/aarch64/'],
    ['fedora', 'https://archives.fedoraproject.org/pub/archive/fedora/linux/releases/40/Everything/aarch64/os/'],
    ['fedora', 'https://dl.fedoraproject.org/pub/fedora/linux/updates/45/Everything/x86_64/'],
    ['centos-stream', 'https://mirror.stream.centos.org/9-stream/RT/x86_64/os/'],
    ['rocky', 'https://dl.rockylinux.org/pub/rocky/9/RT/x86_64/os/'],
    ['opensuse', 'https://download.opensuse.org/distribution/leap/16.0/repo/oss/aarch64/'],
    ['centos-stream', 'https://mirror.stream.centos.org/10-stream/BaseOS/x86_64/os/'],
    ['centos-stream', 'https://vault.centos.org/8-stream/BaseOS/x86_64/os/'],
    ['rocky', 'https://dl.rockylinux.org/pub/rocky/10/BaseOS/aarch64/os/'],
    ['rocky', 'https://dl.rockylinux.org/vault/rocky/10.0/BaseOS/x86_64/os/'],
    ['almalinux', 'https://repo.almalinux.org/almalinux/9/BaseOS/x86_64/os/'],
    ['almalinux', 'https://vault.almalinux.org/9.5/BaseOS/x86_64/os/'],
    ['oraclelinux', 'https://yum.oracle.com/repo/OracleLinux/OL9/baseos/latest/x86_64/'],
    ['oraclelinux', 'https://yum.oracle.com/repo/OracleLinux/OL10/UEKR8/aarch64/'],
    ['amazonlinux', 'https://cdn.amazonlinux.com/al2023/core/mirrors/latest/aarch64/mirror.list'],
    ['amazonlinux', 'https://cdn.amazonlinux.com/2/extras/kernel-5.15/latest/x86_64/mirror.list'],
    ['opensuse', 'https://download.opensuse.org/update/leap/15.6/sle/'],
    ['opensuse', 'https://download.opensuse.org/distribution/leap/15.6/repo/oss/'],
    ['ubuntu', 'http://ports.ubuntu.com/ubuntu-ports/'],
    ['ubuntu', 'http://archive.ubuntu.com/ubuntu/']
  ])('%s asks %s', (name, address) => {
    expect(readRepositories([name]).map(({ url }) => url.href)).toContain(address)
  })

  it('ask for real-time kernels only where they are built', () => {
    expect(readRepositories(['rocky', 'centos-stream']).filter(({ url, arch }) =>
      url.pathname.includes('/RT/') && arch !== 'x86_64')).toEqual([])
  })

  it('keep a major version apart from the minor ones of its vault', () => {
    const versions = readRepositories(['rocky']).map(({ distroVersion }) => distroVersion)
    expect([...new Set(versions)].sort()).toEqual(['10', '8', '9'])
  })
})

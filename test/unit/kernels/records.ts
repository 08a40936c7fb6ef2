import type { KernelRecord } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/store/sha256.js'

export const YEAR_2020 = '2020-01-01T00:00:00.000Z'

/** A record as an upload makes it. */
export function recordOf (release: string, changes: Partial<KernelRecord> = {}): KernelRecord {
  return {
    reference: { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release },
    btfSha256: sha256(release),
    bytes: 5_000_000,
    types: 120_000,
    source: 'upload',
    provenance: { by: 'node-1', at: YEAR_2020, kernelVersion: '#1 SMP' },
    firstSeen: YEAR_2020,
    lastUsed: YEAR_2020,
    modules: [
      { name: 'nf_conntrack', btfSha256: sha256('module'), bytes: 100_000, source: 'upload', provenance: { by: 'node-1', at: YEAR_2020 } }
    ],
    ...changes
  }
}

import { describe, expect, it } from 'vitest'
import { IMPORT_SOURCE, UPLOAD_SOURCE, type KernelRecord } from '../../../src/kernels/kernel-record.js'
import { agreement } from '../../../src/kernels/matches.js'
import { mergeRecords } from '../../../src/kernels/merge-records.js'
import { sha256 } from '../../../src/store/sha256.js'

const FIRST = '#1-mine'
const SECOND = '#2-mine'

function row (source: string, kernelVersion?: string, at = '2026-01-01T00:00:00.000Z'): KernelRecord {
  return {
    reference: { distro: 'debian', distroVersion: '12', arch: 'x86_64', release: '9.9.9' },
    btfSha256: sha256('content'),
    bytes: 7,
    types: 1,
    source,
    provenance: { by: 'test', at, ...(kernelVersion === undefined ? {} : { kernelVersion }) },
    firstSeen: at,
    lastUsed: at,
    modules: []
  }
}

describe('content that one supplier knows to be of a build', () => {
  it.each([
    ['an import', 'a later import', row(IMPORT_SOURCE, FIRST), row(IMPORT_SOURCE, undefined, '2026-02-02T00:00:00.000Z')],
    ['an import', 'an archive', row(IMPORT_SOURCE, FIRST), row('btfhub')],
    ['an archive', 'an upload', row('btfhub', FIRST), row(UPLOAD_SOURCE)]
  ])('is another build for %s, whatever %s leaves out, in any order', (_who, _other, known, blank) => {
    for (const merged of [mergeRecords(known, blank), mergeRecords(blank, known)]) {
      expect(agreement({ kernelVersion: FIRST }, merged, true)).toBe('same')
      expect(agreement({ kernelVersion: SECOND }, merged, true)).toBe('other')
    }
  })

  it('may be any build for an operator who does not say which, though an upload names one', () => {
    const merged = mergeRecords(row(IMPORT_SOURCE), row(UPLOAD_SOURCE, FIRST))
    expect(agreement({ kernelVersion: SECOND }, merged, true)).toBe('possible')
    expect(agreement({ kernelVersion: FIRST }, merged, true)).toBe('same')
    expect(agreement({ kernelVersion: FIRST }, merged, false)).toBe('possible')
  })
})

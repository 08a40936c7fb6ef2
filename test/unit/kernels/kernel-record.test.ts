import { describe, expect, it } from 'vitest'
import { parseRecord, serializeRecord, type KernelRecord, type ModuleRecord } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/store/sha256.js'

const AT = '2026-11-23T00:00:00.000Z'
const provenance = { by: 'linux-image-6.1.0-50-amd64.deb', at: AT, kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.1-1 (2026-11-23)' }

const moduleNamed = (name: string): ModuleRecord => ({ name, btfSha256: sha256(name), bytes: 1000, source: 'import', provenance })

function recordWith (modules: readonly ModuleRecord[]): KernelRecord {
  const reference = { distro: 'debian', distroVersion: '12', arch: 'x86_64', release: '6.1.0-50-amd64' }
  return {
    reference,
    btfSha256: sha256('vmlinux'),
    bytes: 5_000_000,
    types: 120_000,
    source: 'import',
    provenance,
    firstSeen: AT,
    lastUsed: AT,
    modules
  }
}

describe("a kernel's record on disk", () => {
  it('comes back as it was, whoever supplied its modules', () => {
    const uploaded: ModuleRecord = { ...moduleNamed('nf_foo'), source: 'upload', provenance: { by: 'node-7', at: AT } }
    const record = recordWith([moduleNamed('xfs'), uploaded])
    expect(parseRecord(serializeRecord(record))).toEqual(record)
  })

  it('stays small with all modules of a distribution, so that hundreds are read at a start', () => {
    const record = recordWith(Array.from({ length: 4000 }, (_, i) => moduleNamed(`module_number_${i}`)))
    expect(serializeRecord(record).length).toBeLessThan(600_000)
    expect(parseRecord(serializeRecord(record))).toEqual(record)
  })

  it('has the four parts of the reference alone, and loses what else is stored there', () => {
    const record = recordWith([])
    const wide = { ...record, reference: { ...record.reference, signers: { keys: 'mQIN'.repeat(10_000) } } }
    expect(serializeRecord(wide)).toBe(serializeRecord(record))
    const [, body = ''] = /^(.*),"checksum":/.exec(serializeRecord(record)) ?? []
    const stored = body.replace('"release":', '"signers":{"keys":"mQIN"},"release":')
    expect(stored).toContain('mQIN')
    expect(parseRecord(`${stored},"checksum":"${sha256(`${stored}}`)}"}\n`)).toEqual(record)
  })

  it('of a version that knew only what was replaced, and not when, has it replaced at the time of the row', () => {
    const record = {
      ...recordWith([{ ...moduleNamed('xfs'), supersedes: [{ btfSha256: sha256('xfs before'), at: AT }] }]),
      supersedes: [{ btfSha256: sha256('before'), at: AT }]
    }
    const [, body = ''] = /^(.*),"checksum":/.exec(serializeRecord(record)) ?? []
    const earlier = body.replace(/\{"btfSha256":("[^"]+"),"at":"[^"]+"\}/g, '$1')
    expect(earlier).toContain(`"supersedes":["${sha256('before')}"]`)
    expect(parseRecord(`${earlier},"checksum":"${sha256(`${earlier}}`)}"}\n`)).toEqual(record)
  })

  it('is not believed when anything in it was changed', () => {
    const text = serializeRecord(recordWith([moduleNamed('xfs')]))
    for (const [from, to] of [['xfs', 'xfz'], ['5000000', '5000001'], ['"import"', '"upload"']] as const) {
      expect(parseRecord(text.replace(from, to))).toBeUndefined()
    }
    expect(parseRecord(text.slice(0, -10))).toBeUndefined()
  })
})

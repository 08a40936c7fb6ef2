import { describe, expect, it } from 'vitest'
import { parseReference, type KernelQuery } from '../../../src/identity/reference.js'
import { createIndexRows } from '../../../src/kernels/index-rows.js'
import type { KernelRecord } from '../../../src/kernels/kernel-record.js'
import { unknownKernel } from '../../../src/kernels/unknown-kernel.js'
import { sha256 } from '../../../src/store/sha256.js'
import { recordOf } from './records.js'

const RELEASE = '5.4.0-42-generic'
const WANTED: KernelQuery = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: RELEASE }
const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'
const IMPORTED = { source: 'import', provenance: { by: 'operator', at: '2026-01-01T00:00:00.000Z' } }

const upload = (serial = 0): KernelRecord => recordOf(RELEASE, { btfSha256: sha256(`upload ${serial}`) })
const imported = (changes: Partial<KernelRecord> = {}): KernelRecord => recordOf(RELEASE, { ...IMPORTED, ...changes })
const ofRhel = imported({ reference: parseReference(`rhel/8/x86_64/${RELEASE}`) })

interface Case {
  readonly held?: readonly KernelRecord[]
  /** What sources are known to have. */
  readonly offered?: readonly string[]
  readonly query?: KernelQuery
}

function sentenceFor ({ held = [], offered = [], query = WANTED }: Case): string {
  const index = createIndexRows()
  for (const record of held) index.set(record)
  const byRelease = (release: string) => offered.map(parseReference).filter(reference => reference.release === release)
    .map(reference => ({ reference, sources: ['btfhub'] }))
  return unknownKernel(index, query, { trustUploads: false, offered: { byRelease, nearest: () => [] } }).message
}

describe('the sentence of a 404 for a kernel', () => {
  it.each<[what: string, Case, step: string]>([
    ['of which another build is held, which has a uname -v', {
      held: [imported({ provenance: { ...IMPORTED.provenance, kernelVersion: '#46-Ubuntu SMP' } })]
    },
    'It is held as another build (#46-Ubuntu SMP): supply the BTF of this build with PUT, or send it as the btf part.'],
    ['of which another build is held, which has a build-id only', { held: [imported({ buildId: BUILD_ID })] },
      `It is held as another build (build-id ${BUILD_ID}): supply the BTF of this build with PUT, or send it as the btf part.`],
    ['that was uploaded once', { held: [upload()] },
      'BTF was uploaded under this name, and uploads answer only for their hash here: ' +
      `name it with btf_sha256=${sha256('upload 0')}, have its operator approve it (corelo btf import), ` +
      'or let uploads answer for names (CORELO_TRUST_UPLOADS).'],
    ['that was uploaded in several forms', { held: [upload(1), upload(2), upload(3)] },
      'BTF was uploaded under this name, and uploads answer only for their hash here: ' +
      'name one of the 3 uploads with btf_sha256, have its operator approve it (corelo btf import), ' +
      'or let uploads answer for names (CORELO_TRUST_UPLOADS).'],
    ['whose release another distribution has, held', { held: [ofRhel] },
      `rhel/8/x86_64/${RELEASE} has this release too, but each distribution and architecture has its own ` +
      'build: name the kernel that is meant, or supply its BTF with PUT.'],
    ['whose release others have, held and offered', {
      held: [ofRhel], offered: [`rocky/8/x86_64/${RELEASE}`, `rhel/8/x86_64/${RELEASE}`, 'rocky/8/x86_64/5.4.1']
    },
      `rhel/8/x86_64/${RELEASE}, rocky/8/x86_64/${RELEASE} have this release too, ` +
      'but each distribution and architecture has its own build: name the kernel that is meant, or supply its BTF with PUT.'],
    ['named by its release alone', { query: { release: RELEASE } },
      'Name its distro, distro_version and arch, by which sources can be asked, or send its BTF as the btf part.'],
    ['of which nothing is known', {}, 'Supply its BTF with PUT, or send it as the btf part.']
  ])('%s gives the step that helps', (_what, one, step) => {
    expect(sentenceFor(one)).toBe(
      `No BTF is known for kernel ${one.query === undefined ? `ubuntu/20.04/x86_64/${RELEASE}` : RELEASE}. ${step}`
    )
  })

  it('says which package repositories the operator can add, where those may have the kernel', () => {
    const sentence = (query: KernelQuery, held: readonly KernelRecord[] = []): string => {
      const index = createIndexRows()
      for (const record of held) index.set(record)
      return unknownKernel(index, query, { trustUploads: false, presetFor: ({ distro }) => distro }).message
    }
    const advice = 'The package repositories of ubuntu, which this service does not ask, may have it: ' +
      'its operator can add ubuntu to CORELO_PACKAGES.'
    expect(sentence(WANTED)).toMatch(new RegExp(`send it as the btf part\\. ${advice}$`))
    expect(sentence(WANTED, [ofRhel])).toMatch(new RegExp(`supply its BTF with PUT\\. ${advice}$`))
    for (const other of [sentence({ release: RELEASE }), sentence(WANTED, [upload()])]) expect(other).not.toContain('CORELO_PACKAGES')
  })

  it('says what narrowed a bare release', () => {
    expect(sentenceFor({ held: [ofRhel], query: { release: RELEASE, arch: 'arm64' } }))
      .toContain(`No BTF is known for kernel ${RELEASE} (arm64). rhel/8/x86_64/${RELEASE} has this release too`)
  })

  it('speaks of the upload before the kernels of others, and of the other build before both', () => {
    expect(sentenceFor({ held: [upload(), ofRhel] })).toContain('btf_sha256=')
    expect(sentenceFor({ held: [upload(), imported({ buildId: BUILD_ID }), ofRhel] })).toContain('It is held as another build')
  })
})

import { describe, expect, it } from 'vitest'
import { compareDebVersions, compareRpmVersions } from '../../../src/packages/versions.js'

/** Oldest first, equal ones together: as `dpkg --compare-versions` has it for each pair. */
const DEB = [
  ['2.0a'], ['2.0+git1'], [
    '5.15.0-91.101~20.04.1'
  ], ['5.15.0-91.101'], ['6.1~rc3-1'], ['6.1'], ['6.1-1'], ['6.1.0'], ['0:6.1.192-3', '6.1.192-3'], ['6.1.192-3+b1'],
  ['6.1.192-10'], ['6.12.117-1~deb12u1'], ['6.12.117-1'], ['007-1', '7-1'], ['7.3~rc1-1~exp1'], ['1:1.0-1']
]

/** The same by `rpm.vercmp` of RPM 4.18. */
const RPM = [
  ['~'], ['^'], ['a1'], ['fc40'], [
    '001', '1'
  ], ['1a'], ['1.0.', '1.0'], ['1.0a'], ['5.14.0'], ['6.9.7~rc1'], ['6.9.7'], ['6.9.7^git1'], ['6.9.10'], ['200.fc40'], ['427.el9'],
  ['427.13.1.el9_4'], ['150500.55.7.1'], ['150500.55.44.1']
]

describe.each([
  ['compareDebVersions', 'dpkg', compareDebVersions, DEB],
  ['compareRpmVersions', 'rpm', compareRpmVersions, RPM]
] as const)('%s', (_name, tool, compare, ordered) => {
  it(`orders every pair as ${tool} does`, () => {
    const ranked = ordered.flatMap((versions, rank) => versions.map(version => ({ version, rank })))
    for (const a of ranked) {
      for (const b of ranked) expect(Math.sign(compare(a.version, b.version)), `${a.version} ${b.version}`).toBe(Math.sign(a.rank - b.rank))
    }
  })
})

import { describe, expect, it } from 'vitest'
import { needsOf } from '../../../src/agent/findings.js'

/** So many programs that attach by BTF, behind one that does not. */
const programs = (count: number) => Array.from({ length: count + 1 }, (_, i) => ({
  name: `p${i}`,
  section: i === 0 ? 'kprobe/x' : 'fentry/x',
  verdict: 'loads' as const,
  verdict_reason: null,
  assumes: [],
  needs_kernel_btf: i === 0 ? null : 'attaches by BTF (fentry)',
  relocations: 1
}))

describe('programs that need BTF in the running kernel', () => {
  it('are named up to twenty, and what is left out is counted', () => {
    expect(needsOf({ programs: programs(20) })).toHaveLength(20)
    const lines = needsOf({ programs: programs(25) })
    expect([lines[0], lines.length, lines.at(-1)]).toEqual(['p1: attaches by BTF (fentry)', 21, 'and 5 more'])
  })
})

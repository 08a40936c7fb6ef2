import { describe, expect, it } from 'vitest'
import { countsText, diagnostics, reportTables, type ShownReport } from '../../../src/cli/report-text.js'

type Shown = ShownReport['relocations'][number]

const poisoned: Shown = {
  program: 'handle_exec',
  section: 'raw_tp/exec',
  instruction: 12,
  kind: 'byte_off',
  type: 'struct task_struct',
  access: 'task_struct.state',
  access_spec: '0:15',
  source: { file: './exec.bpf.c', line: 41, text: '\tstate = BPF_CORE_READ(task, state);' },
  status: 'poisoned',
  reachable: null,
  old: 16,
  new: null,
  reason: 'field_missing',
  detail: 'struct task_struct has no member state in this kernel.',
  suggestions: []
}

function reportOf (...relocations: Shown[]): ShownReport {
  return {
    verdict: 'unknown',
    counts: { resolved: 0, absent: 0, poisoned: 1, failed: 0 },
    programs: [{ name: 'handle_exec', section: 'raw_tp/exec', verdict: 'unknown', verdict_reason: null, needs_kernel_btf: null, relocations: relocations.length }],
    relocations
  }
}

describe('diagnostics', () => {
  it('says what a compiler would say, at the line of the source', () => {
    expect(diagnostics(reportOf(poisoned), 'exec.bpf.o')).toEqual([
      'exec.bpf.c:41: task_struct.state: struct task_struct has no member state in this kernel (instruction 12 of handle_exec poisoned)'
    ])
  })

  it('names the object where no line is known', () => {
    expect(diagnostics(reportOf({ ...poisoned, source: null }), 'exec.bpf.o')[0]).toMatch(/^exec\.bpf\.o: task_struct\.state: /)
  })

  it('says that libbpf refuses the object for a failed relocation', () => {
    expect(diagnostics(reportOf({ ...poisoned, status: 'failed' }), 'x')[0]).toMatch(/\(instruction 12 of handle_exec: libbpf refuses the object for it\)$/)
  })

  it('is silent about what has a value', () => {
    expect(diagnostics(reportOf({ ...poisoned, status: 'resolved', new: 24 }, { ...poisoned, status: 'absent', new: 0 }), 'x')).toEqual([])
  })
})

describe('reportTables', () => {
  it('groups by program and shows the old value and the new one', () => {
    const lines = reportTables(reportOf({ ...poisoned, status: 'resolved', new: 24 }, { ...poisoned, status: 'absent', new: 0 }, poisoned))
    expect(lines[0]).toBe('handle_exec (raw_tp/exec): verdict unknown')
    expect(lines.slice(2, 5).map(line => line.split(/ {2,}/)[4])).toEqual(['16 -> 24', '16 -> 0 absent', '16 -> poisoned'])
  })

  it('shows relocations that belong to no program', () => {
    expect(reportTables(reportOf({ ...poisoned, program: '' }))[0]).toBe('Outside any program')
  })
})

describe('countsText', () => {
  it('leaves out what there is none of', () => {
    expect(countsText({ resolved: 20, absent: 0, poisoned: 1 })).toBe('20 resolved, 1 poisoned')
    expect(countsText({})).toBe('no relocations')
  })
})

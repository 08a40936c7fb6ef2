import { expect, it } from 'vitest'
import { explanationOf } from '../../../src/check/failure-text.js'
import type { OutcomeFailure } from '../../../src/report/outcome.js'

const failure = (access: string, suggestion: { text: string, code: string }): OutcomeFailure => ({
  program: 'trace',
  section: 'kprobe/x',
  instruction: 1,
  reachable: true,
  source: null,
  kind: 'byte_off',
  type: 'struct pt_regs',
  access,
  reason: 'field_missing',
  detail: 'It is missing.',
  suggestions: [suggestion]
})

it('advice without code has no blank line behind it, and does not hide other advice without code', () => {
  const failures = [
    failure('pt_regs.di', { text: 'Compile it for arm64.', code: '' }),
    failure('pt_regs.si', { text: 'Compile it for arm64.', code: '' }),
    failure('bpf_iter__x.meta', { text: 'Leave the program out.', code: '' }),
    failure('task_struct.a', { text: 'Guard it:', code: 'if (a) {\n}' }),
    failure('task_struct.b', { text: 'Guard it:', code: 'if (b) {\n}' })
  ]
  expect(explanationOf({ state: 'fails', reason: null, programs: [], failures, failures_total: 6 }, 'x.o')).toEqual([
    'x.o: pt_regs.di: It is missing (instruction 1 of trace)',
    '  Compile it for arm64.',
    'x.o: pt_regs.si: It is missing (instruction 1 of trace)',
    'x.o: bpf_iter__x.meta: It is missing (instruction 1 of trace)',
    '  Leave the program out.',
    'x.o: task_struct.a: It is missing (instruction 1 of trace)',
    '  Guard it:',
    '    if (a) {',
    '    }',
    'x.o: task_struct.b: It is missing (instruction 1 of trace)',
    '  Guard it:',
    '    if (b) {',
    '    }',
    'and 1 more place'
  ])
})

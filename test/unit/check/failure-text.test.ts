import { expect, it } from 'vitest'
import { explanationOf, foldedExplanationOf } from '../../../src/check/failure-text.js'
import type { CheckOutcome } from '../../../src/check/wire.js'
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

const outcomeOf = (failures: readonly OutcomeFailure[], total = failures.length): CheckOutcome =>
  ({ state: 'fails', reason: null, programs: [], failures, failures_total: total })

it('one line of the source with one reason is one failure for people, with its instructions and programs, and advice once', () => {
  const guard = { text: 'Guard it:', code: 'if (a) {}' }
  const at = (line: number, program: string, instruction: number, access = 'task_struct.a'): OutcomeFailure =>
    ({ ...failure(access, guard), program, instruction, source: { file: 'x.bpf.c', line, text: 'read' } })
  const failures = [
    at(7, 'one', 1), at(7, 'one', 1), at(7, 'one', 9), at(7, 'two', 1),
    at(8, 'one', 12), at(8, 'one', 14), at(8, 'one', 12, 'task_struct.b')
  ]
  expect(foldedExplanationOf(outcomeOf(failures, 10), 'x.o')).toEqual([
    'x.bpf.c:7: task_struct.a: It is missing (3 instructions of one, two)',
    '  Guard it:',
    '    if (a) {}',
    'x.bpf.c:8: task_struct.a: It is missing (2 instructions of one)',
    'x.bpf.c:8: task_struct.b: It is missing (instruction 12 of one)',
    'and 3 more places'
  ])
  expect(explanationOf(outcomeOf(failures), 'x.o').filter(line => line.startsWith('x.bpf.c')).length).toBe(7)
})

it('what no line is known of is found by its instruction alone, so each stays', () => {
  const failures = [1, 2].map(instruction => ({ ...failure('task_struct.a', { text: 'Guard it:', code: 'x' }), instruction }))
  expect(foldedExplanationOf(outcomeOf(failures), 'x.o').filter(line => line.startsWith('x.o'))).toEqual([
    'x.o: task_struct.a: It is missing (instruction 1 of trace)', 'x.o: task_struct.a: It is missing (instruction 2 of trace)'
  ])
})

it('advice about how the program is compiled is told once and first, with all that it is about below it', () => {
  const compile = { text: 'Compile it for arm64.', code: '' }
  const failures = [
    failure('task_struct.a', { text: 'Guard it:', code: 'if (a) {}' }),
    failure('pt_regs.di', compile),
    failure('bpf_iter__x.meta', { text: 'Leave the program out.', code: '' }),
    failure('pt_regs.si', compile)
  ]
  expect(foldedExplanationOf(outcomeOf(failures), 'x.o')).toEqual([
    'x.o: Compile it for arm64.',
    '  x.o: pt_regs.di: It is missing (instruction 1 of trace)',
    '  x.o: pt_regs.si (instruction 1 of trace)',
    'x.o: task_struct.a: It is missing (instruction 1 of trace)',
    '  Guard it:',
    '    if (a) {}',
    'x.o: bpf_iter__x.meta: It is missing (instruction 1 of trace)',
    '  Leave the program out.'
  ])
})

it('where no place is listed, programs are told of by their reasons, and those with one reason together', () => {
  const shared = 'Instruction 7 of helper is poisoned. The branch is not known.'
  const program = (name: string, reason: string | null): CheckOutcome['programs'][number] => ({
    name,
    section: 'kprobe/x',
    verdict: reason === null ? 'loads' : 'unknown',
    verdict_reason: reason,
    assumes: [],
    needs_kernel_btf: null,
    relocations: 0
  })
  const outcome = (...programs: CheckOutcome['programs']): CheckOutcome =>
    ({ state: 'unknown', reason: shared, programs, failures: [], failures_total: 0 })
  const many = ['a', 'b', 'c', 'd', 'e'].map(name => program(name, shared))
  const long = program('long', 'It has more paths than are looked at.')
  expect(foldedExplanationOf(outcome(program('fine', null), ...many, long), 'x.o')).toEqual([
    `5 programs: a, b, c and 2 more: ${shared}`,
    'long: It has more paths than are looked at.'
  ])
  expect(foldedExplanationOf(outcome(program('fine', null), program('a', shared)), 'x.o')).toEqual([shared])
})

it('a type that the kernel does not have is told of once, with the accesses to it below', () => {
  const guard = { text: 'Use struct other only where the kernel has it:', code: 'if (bpf_core_type_exists(struct other)) {}' }
  const member = (access: string): OutcomeFailure =>
    ({ ...failure(access, guard), reason: 'type_missing', detail: 'This kernel has no struct other.' })
  expect(foldedExplanationOf(outcomeOf([member('other.a'), failure('task_struct.a', guard), member('other.b')]), 'x.o')).toEqual([
    'x.o: This kernel has no struct other. Use struct other only where the kernel has it:',
    '    if (bpf_core_type_exists(struct other)) {}',
    '  x.o: other.a (instruction 1 of trace)',
    '  x.o: other.b (instruction 1 of trace)',
    'x.o: task_struct.a: It is missing (instruction 1 of trace)',
    '  Use struct other only where the kernel has it:',
    '    if (bpf_core_type_exists(struct other)) {}'
  ])
})

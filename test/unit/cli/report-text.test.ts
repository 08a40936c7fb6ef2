import { describe, expect, it } from 'vitest'
import { countsText, diagnostics, reportTables, verdictLines, type ShownReport } from '../../../src/cli/report-text.js'

type Shown = ShownReport['relocations'][number]
type Place = Shown['places'][number]

const place: Place = {
  program: 'handle_exec',
  section: 'raw_tp/exec',
  instruction: 12,
  reachable: true,
  behind_poison: false,
  source: { file: './exec.bpf.c', line: 41, text: '\tstate = BPF_CORE_READ(task, state);' }
}

const poisoned: Shown = {
  kind: 'byte_off',
  type: 'struct task_struct',
  access: 'task_struct.state',
  access_spec: '0:15',
  status: 'poisoned',
  old: 16,
  new: null,
  reason: 'field_missing',
  detail: 'struct task_struct has no member state in this kernel. It has __state.',
  suggestions: [],
  places: [place],
  places_total: 1
}

const guarded: Shown = { ...poisoned, access: 'task_struct___old.state', places: [{ ...place, instruction: 3, reachable: false }] }

function program (name: string, verdict: ShownReport['verdict']): ShownReport['programs'][number] {
  return { name, section: 'raw_tp/exec', verdict, verdict_reason: null, assumes: [], needs_kernel_btf: null, relocations: 1 }
}

function reportOf (...relocations: Shown[]): ShownReport {
  return { verdict: 'fails', counts: { resolved: 0, absent: 0, poisoned: 1 }, programs: [program('handle_exec', 'fails')], relocations }
}

describe('lines about programs', () => {
  const because = (name: string, verdict: ShownReport['verdict'], reason: string): ShownReport['programs'][number] =>
    ({ ...program(name, verdict), verdict_reason: reason })

  it('say why a program fails that no relocation tells of, and why one is not decided', () => {
    const report = {
      ...reportOf(poisoned),
      programs: [
        because('handle_exec', 'fails', 'The verifier gets to instruction 12 of handle_exec, which is poisoned.'),
        because('author', 'fails', 'The verifier gets to instruction 2 of author, which calls 0xbad2310 in the object itself.'),
        because('random', 'unknown', 'Instruction 7 of random is poisoned. The branch is not known.'),
        program('fine', 'loads')
      ]
    }
    expect(verdictLines(report)).toEqual([
      'author (raw_tp/exec): verdict fails: The verifier gets to instruction 2 of author, which calls 0xbad2310 in the object itself.',
      'random (raw_tp/exec): verdict unknown: Instruction 7 of random is poisoned. The branch is not known.'
    ])
  })
})

describe('lines about programs with one reason', () => {
  it('are one line, with the number of programs and the names of the first', () => {
    const unknown = (name: string, reason: string): ShownReport['programs'][number] =>
      ({ ...program(name, 'unknown'), verdict_reason: reason })
    const shared = 'Instruction 7 of helper is poisoned. The branch is not known.'
    const programs = [
      unknown('one', shared), unknown('other', 'Instruction 2 of other is poisoned. The branch is not known.'),
      ...['two', 'three', 'four', 'five'].map(name => unknown(name, shared))
    ]
    expect(verdictLines({ ...reportOf(), programs })).toEqual([
      `5 programs: one, two, three and 2 more: verdict unknown: ${shared}`,
      'other (raw_tp/exec): verdict unknown: Instruction 2 of other is poisoned. The branch is not known.'
    ])
  })
})

describe('diagnostics', () => {
  it('says what a compiler would say, at the line of the source', () => {
    expect(diagnostics(reportOf(poisoned), 'exec.bpf.o')).toEqual([
      'exec.bpf.c:41: task_struct.state: struct task_struct has no member state in this kernel. It has __state (instruction 12 of ' +
        'handle_exec poisoned)'
    ])
  })

  it('names the object where no line is known', () => {
    expect(diagnostics(reportOf({ ...poisoned, places: [{ ...place, source: null }] }), 'exec.bpf.o')[0]).toMatch(
      /^exec\.bpf\.o: task_struct\.state: /
    )
  })

  it('says that libbpf refuses the object for a failed relocation', () => {
    expect(diagnostics(reportOf({ ...poisoned, status: 'failed' }), 'x')[0]).toMatch(
      /\(instruction 12 of handle_exec: libbpf refuses the object for it\)$/
    )
  })

  it('is silent about what has a value', () => {
    expect(diagnostics(reportOf({ ...poisoned, status: 'resolved', new: 24 }, { ...poisoned, status: 'absent', new: 0 }), 'x')).toEqual([])
  })

  it('says in one line what has no value and is never reached', () => {
    expect(diagnostics(reportOf(guarded, { ...guarded, access: 'task_struct___old.cpu' }), 'exec.bpf.o')).toEqual([
      'exec.bpf.o: 2 relocations have no value and are never reached: task_struct___old.state, task_struct___old.cpu'
    ])
  })

  it('tells what waits behind other poison apart from what is never reached', () => {
    const behind = (access: string, isKnown: boolean): Shown =>
      ({ ...guarded, access, places: guarded.places.map(other => ({ ...other, behind_poison: isKnown || null })) })
    const report = reportOf(behind('bio.one', true), guarded, behind('bio.two', true), behind('bio.three', false))
    expect(diagnostics(report, 'exec.bpf.o')).toEqual([
      'exec.bpf.o: 2 relocations have no value and lie behind poisoned instructions; once those are mended, they are reached too: ' +
        'bio.one, bio.two',
      'exec.bpf.o: 1 relocation has no value and lies behind a poisoned instruction; once that is mended, it may be reached too: bio.three',
      'exec.bpf.o: 1 relocation has no value and is never reached: task_struct___old.state'
    ])
    const isOfBoth = { ...guarded, places_total: 3, places: [...behind('bio.one', true).places, ...guarded.places, ...guarded.places] }
    expect(diagnostics(reportOf(isOfBoth), 'x').map(line => line.slice(0, 22))).toEqual([
      'x: 1 relocation has no', 'x: 2 relocations have '
    ])
  })

  it('speaks of the place that can be reached, and counts the others', () => {
    const both = { ...poisoned, places: [{ ...place, reachable: false, source: null }, place], places_total: 7 }
    expect(diagnostics(reportOf(both), 'x')).toEqual([
      expect.stringMatching(/^exec\.bpf\.c:41: .*\(instruction 12 of handle_exec and 6 more poisoned\)$/)
    ])
  })

  it('shows the code to write below the complaint, without control characters of the file', () => {
    const code = 'if (bpf_core_field_exists(struct task_struct, state)) {\n\t/* read st\u001bate here */\n}'
    expect(diagnostics(reportOf({ ...poisoned, suggestions: [{ text: 'Guard it:', code }] }), 'x').slice(1)).toEqual([
      '  Guard it:',
      '    if (bpf_core_field_exists(struct task_struct, state)) {',
      '      /* read st?ate here */',
      '    }'
    ])
  })
})

describe('advice about how the program is compiled', () => {
  const compile = { text: 'Compile the program for arm64.', code: '' }
  const register = (access: string, instruction: number): Shown => ({
    ...poisoned,
    access,
    detail: `Is ${access} of x86_64.`,
    suggestions: [compile, { text: 'Or:', code: 'PT_REGS_PARM1(p)' }],
    places: [{ ...place, instruction }]
  })

  it('is told once and first, with each access that it is about on a line below it', () => {
    expect(diagnostics(reportOf(poisoned, register('pt_regs.di', 3), register('pt_regs.si', 4)), 'x.bpf.o')).toEqual([
      'x.bpf.o: Compile the program for arm64.',
      'exec.bpf.c:41: pt_regs.di: Is pt_regs.di of x86_64 (instruction 3 of handle_exec poisoned)',
      'exec.bpf.c:41: pt_regs.si (instruction 4 of handle_exec poisoned)',
      expect.stringMatching(/^exec\.bpf\.c:41: task_struct\.state: .* has no member state/)
    ])
  })

  it('stands below the one access that it is about', () => {
    expect(diagnostics(reportOf(register('pt_regs.di', 3)), 'x.bpf.o')).toEqual([
      'exec.bpf.c:41: pt_regs.di: Is pt_regs.di of x86_64 (instruction 3 of handle_exec poisoned)',
      '  Compile the program for arm64.'
    ])
  })
})

describe('advice about a type that the kernel does not have', () => {
  const guard = { text: 'Use struct other only where the kernel has it:', code: 'if (bpf_core_type_exists(struct other)) {\n}' }
  const member = (access: string, instruction: number): Shown => ({
    ...poisoned,
    access,
    reason: 'type_missing',
    detail: 'This kernel has no struct other.',
    suggestions: [guard],
    places: [{ ...place, instruction }]
  })

  it('is told once with the reason, with the accesses to its members below it', () => {
    expect(diagnostics(reportOf(poisoned, member('other.a', 3), member('other.b', 4)), 'x.bpf.o')).toEqual([
      'x.bpf.o: This kernel has no struct other. Use struct other only where the kernel has it:',
      '    if (bpf_core_type_exists(struct other)) {',
      '    }',
      'exec.bpf.c:41: other.a (instruction 3 of handle_exec poisoned)',
      'exec.bpf.c:41: other.b (instruction 4 of handle_exec poisoned)',
      expect.stringMatching(/^exec\.bpf\.c:41: task_struct\.state: .* has no member state/)
    ])
  })

  it('stands below its one access, and is not shared where what is said of two differs', () => {
    const other = { ...member('other.b', 4), detail: 'This kernel has no struct other. It has struct another.' }
    const lines = diagnostics(reportOf(member('other.a', 3), other), 'x.bpf.o')
    expect(lines.filter(line => line.includes('only where')).length).toBe(2)
    expect(lines[0]).toBe('exec.bpf.c:41: other.a: This kernel has no struct other (instruction 3 of handle_exec poisoned)')
  })
})

describe('reportTables', () => {
  it('groups by program and shows the old value and the new one', () => {
    const lines = reportTables(reportOf({ ...poisoned, status: 'resolved', new: 24 }, { ...poisoned, status: 'absent', new: 0 }, poisoned))
    expect(lines[0]).toBe('handle_exec (raw_tp/exec): verdict fails')
    expect(lines.slice(2, 5).map(line => line.split(/ {2,}/)[4])).toEqual(['16 -> 24', '16 -> 0 absent', '16 -> poisoned'])
  })

  it('begins with the programs that fail, and folds what is never reached into one line', () => {
    const loading = { ...guarded, places: [{ ...place, program: 'loads_here', reachable: false }] }
    const report = {
      ...reportOf(loading, poisoned, guarded),
      programs: [program('loads_here', 'loads'), program('unsure', 'unknown'), program('handle_exec', 'fails')]
    }
    expect(reportTables(report)).toEqual([
      'handle_exec (raw_tp/exec): verdict fails',
      expect.stringMatching(/^ {2}INSN/),
      expect.stringMatching(/^ {2}12 .* 16 -> poisoned/),
      '  1 relocation has no value and is never reached: task_struct___old.state',
      '',
      'loads_here (raw_tp/exec): verdict loads',
      '  1 relocation has no value and is never reached: task_struct___old.state',
      ''
    ])
  })

  it('has one row for equal relocations of a program', () => {
    const twice = { ...poisoned, status: 'resolved' as const, new: 24, places: [place, { ...place, instruction: 40 }], places_total: 2 }
    expect(reportTables(reportOf(twice))[2]).toMatch(/^ {2}12 \+1 /)
  })

  it('cuts lines of source to what the other columns leave of a terminal, but not to nothing', () => {
    const long = { ...poisoned, places: [{ ...place, source: { file: 'exec.bpf.c', line: 41, column: 0, text: 'x'.repeat(100) } }] }
    const widest = (width?: number): number =>
      Math.max(...reportTables(reportOf(long), undefined, width).slice(1).map(line => line.length))
    expect(widest()).toBeGreaterThan(90)
    expect([80, 90].map(widest)).toEqual([80, 90])
    expect(reportTables(reportOf(long), undefined, 20)[2]).toContain('exec.bpf.c:41')
  })

  it('shows relocations that belong to no program', () => {
    expect(reportTables(reportOf({ ...poisoned, places: [{ ...place, program: '' }] }))[0]).toBe('Outside any program')
  })
})

describe('countsText', () => {
  it('leaves out what there is none of', () => {
    expect(countsText({ resolved: 20, absent: 0, poisoned: 1 })).toBe('20 resolved, 1 poisoned')
    expect(countsText({})).toBe('no relocations')
  })
})

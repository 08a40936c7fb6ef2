import { describe, expect, it } from 'vitest'
import { parseObject } from '../../../src/core/index.js'
import { describeRelocation, type RelocationReport } from '../../../src/report/index.js'
import type { ReportRelocation } from '../../../src/wire/report.js'
import { assembler } from '../../support/asm.js'
import { at, bitsAt, btf, integers, type BtfBuilder, type Member } from '../../support/btf-builder.js'
import { relocateSteps, type Step } from '../../support/scenario.js'

const asm = assembler('little')

function reportOf (local: BtfBuilder, target: BtfBuilder, steps: readonly Step[], modulesWith: (type: string) => readonly string[] = () =>
  [], section = 'raw_tp/test'): RelocationReport {
  const { object, relocation } = relocateSteps({ local, target, steps, section })
  return describeRelocation(parseObject(object.bytes), relocation, { modulesWith })
}

/** The only entry that has a reason. */
function explained (local: BtfBuilder, target: BtfBuilder, ...steps: Step[]): ReportRelocation {
  const [entry, ...others] = reportOf(local, target, steps).relocations.filter(({ reason }) => reason !== null)
  if (entry === undefined || others.length > 0) throw new Error(`${others.length + 1} entries have a reason`)
  return entry
}

/** A struct of ints on both sides, and a read of the first local one. */
function field (
  localName: string, targetMembers: (types: ReturnType<typeof integers>, target: BtfBuilder) => readonly Member[], read: Partial<Step> = {}
): ReportRelocation {
  const local = btf()
  const type = local.struct('foo', 4, [at(localName, 0, integers(local).uint)])
  const target = btf()
  const members = targetMembers(integers(target), target)
  target.struct('foo', 64, members)
  return explained(local, target, { kind: 'byte_off', type, access: '0:0', ...read })
}

describe('a field that is missing', () => {
  it('is told with nothing beside it where nothing is near', () => {
    expect(field('gone', ({ uint }) => [at('other', 0, uint)])).toMatchObject({
      reason: 'field_missing',
      detail: 'struct foo has no member gone in this kernel.',
      suggestions: [{
        text: 'Read gone only where the kernel has it:', code: 'if (bpf_core_field_exists(struct foo, gone)) {\n\t/* read gone here */\n}'
      }]
    })
  })

  it('is told with the name that it has now', () => {
    expect(field('state', ({ uint }) => [at('__state', 0, uint), at('exit_state', 4, uint)])).toMatchObject({
      reason: 'field_missing', detail: 'struct foo has no member state in this kernel. It has __state.'
    })
    expect(field('time', ({ uint }) => [at('time_sec', 0, uint), at('time_nsec', 4, uint)]).detail).toBe(
      'struct foo has no member time in this kernel. It has time_sec and time_nsec.'
    )
    expect(field('counter', ({ uint }) => [at('countr', 0, uint), at('unrelated', 4, uint)]).detail).toBe(
      'struct foo has no member counter in this kernel. It has countr.'
    )
  })

  it('is told with the path to it where it moved into a nested struct, through anonymous ones', () => {
    const entry = field('cpu', ({ uint }, target) => {
      const inner = target.struct('info', 8, [at('flags', 0, uint), at('cpu', 4, uint)])
      return [at('', 8, target.struct('', 8, [at('info', 0, inner)]))]
    })
    expect(entry).toMatchObject({ reason: 'field_moved', detail: 'struct foo has no member cpu in this kernel. It has info.cpu.' })
    expect(entry.suggestions[0]).toEqual({
      text: 'Read info.cpu where the kernel has that, and cpu where it does not:',
      code: [
        'struct foo___new { struct { unsigned int cpu; } info; } __attribute__((preserve_access_index));',
        '',
        'static __always_inline unsigned int foo_cpu(struct foo *p)',
        '{',
        '\tstruct foo___new *other = (void *)p;',
        '',
        '\tif (bpf_core_field_exists(struct foo___new, info.cpu))',
        '\t\treturn BPF_CORE_READ(other, info.cpu);',
        '\treturn BPF_CORE_READ(p, cpu);',
        '}'
      ].join('\n')
    })
  })

  it('is not told to be in a nested struct that has another kind of field under the name', () => {
    expect(field('cpu', ({ uint }, target) => [at('info', 0, target.struct('info', 8, [at('cpu', 0, target.ptr(uint))]))]).detail).toBe(
      'struct foo has no member cpu in this kernel.'
    )
  })

  it('is told of the typedef that the kernel was searched for, whatever that stands for', () => {
    const local = btf()
    const { uint } = integers(local)
    const type = local.typedef('caps_t', local.struct('caps', 8, [at('cap', 0, local.array(uint, 2))]))
    const target = btf()
    target.typedef('caps_t', target.struct('', 8, [at('val', 0, integers(target).ullong)]))
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:0:1', was: 4 }).detail).toBe(
      'caps_t has no member cap in this kernel.'
    )
  })

  it('is searched for within steps of its own, and told plainly where they do not do', () => {
    const entry = field('gone', ({ uint }) => Array.from({ length: 30_000 }, (_, i) => at(`m${i}`, 4 * i, uint)))
    expect(entry).toMatchObject({
      status: 'poisoned', reason: 'work_limit', detail: expect.stringMatching(/^This kernel has no foo\.gone\. /)
    })
  })
})

describe('a field of another kind', () => {
  it('is told with both declarations, and what is inside it', () => {
    const entry = field('flags', ({ ullong }, target) =>
      [at('flags', 0, target.typedef('flags_t', target.struct('', 8, [at('f', 0, ullong)])))])
    expect(entry).toMatchObject({
      reason: 'field_incompatible',
      detail: 'struct foo has flags_t flags in this kernel, which cannot be read as unsigned int flags. It has flags.f.'
    })
    expect(entry.suggestions[0]?.code).toContain(
      'struct foo___new { struct { unsigned long long f; } flags; } __attribute__((preserve_access_index));'
    )
  })

  it('that cannot be read at its size is told with both sizes, a bitfield as such', () => {
    const ldx = asm.ldx('w', 2, 1, 0)
    expect(field('protocol', ({ uint }) => [bitsAt('protocol', 8, 8, uint)], { insn: ldx })).toMatchObject({
      reason: 'access_size_unsafe',
      detail: 'foo.protocol is unsigned int protocol (4 bytes) in the object and unsigned int protocol:8 (a bitfield at bit 8) in this ' +
        'kernel; only pointers and unsigned integers can be read at another size.',
      suggestions: [
        {
          code: 'static __always_inline unsigned long long foo_protocol(struct foo *p)\n{\n' +
            '\treturn BPF_CORE_READ_BITFIELD_PROBED(p, protocol);\n}'
        }
      ]
    })
  })

  it('that is a bitfield of an anonymous struct is told with its place in the struct that has a name', () => {
    const nested = field('protocol', ({ uint }, target) =>
      [at('', 4, target.struct('', 4, [bitsAt('protocol', 8, 8, uint)]))], { insn: asm.ldx('w', 2, 1, 0) })
    expect(nested.detail).toContain('unsigned int protocol:8 (a bitfield at bit 40) in this kernel')
  })

  it('that is a bitfield which no load covers is told with its place in the kernel', () => {
    const entry = field('wide', ({ ullong }) => [bitsAt('wide', 60, 63, ullong)])
    expect(entry).toMatchObject({
      status: 'failed',
      reason: 'bitfield_too_wide',
      detail: 'foo.wide cannot be read in this kernel. A bitfield of 63 bits at bit 60 does not fit any aligned load of up to 8 bytes.',
      suggestions: []
    })
  })

  it('is an element past the end of an array: both lengths', () => {
    const local = btf()
    const type = local.struct('foo', 64, [at('list', 0, local.array(integers(local).int, 16))])
    const target = btf()
    target.struct('foo', 16, [at('list', 0, target.array(integers(target).int, 4))])
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:0:5', was: 20 })).toMatchObject({
      reason: 'index_out_of_bounds', detail: 'foo.list has 4 elements in this kernel and 16 elements in the object; the program reads [5].'
    })
  })
})

describe('a number that is an enum on the other side', () => {
  /** The first suggestion for a field of `struct foo`, of these types in the object and in the kernel. */
  const read = (make: (types: BtfBuilder) => number, makeTheirs: (types: BtfBuilder) => number) => {
    const [local, target] = [btf(), btf()]
    const type = local.struct('foo', 4, [at('type', 0, make(local))])
    target.struct('foo', 4, [at('type', 0, makeTheirs(target))])
    const { suggestions: [first] } = explained(local, target, { kind: 'byte_off', type, access: '0:0' })
    return first?.code
  }

  it('is read by a flavour that has what it is there', () => {
    expect(read(local => integers(local).int, target => target.enum('kind', [['KIND_A', 0]]))).toBe([
      'struct foo___new { enum { type___new } type; } __attribute__((preserve_access_index));',
      '',
      'static __always_inline int foo_type(struct foo *p)',
      '{',
      '\tstruct foo___new *other = (void *)p;',
      '',
      '\tif (bpf_core_field_exists(struct foo___new, type))',
      '\t\treturn BPF_CORE_READ(other, type);',
      '\treturn BPF_CORE_READ(p, type);',
      '}'
    ].join('\n'))
    expect(read(local => local.enum('kind', [['KIND_A', 0]]), target => integers(target).uint))
      .toMatch(/^struct foo___new \{ unsigned int type; \} .*\n\nstatic __always_inline enum kind foo_type\(struct foo \*p\)/)
  })

  it('is only guarded where the enum has another size than C gives one', () => {
    expect(read(local => integers(local).int, target => target.enum('kind', [['KIND_A', 0]], { size: 1 }))).toMatch(/^if \(/)
  })
})

describe('a field that other kernels tell in another way', () => {
  it('is named, without code that would read another value', () => {
    const local = btf()
    const type = local.struct('iov_iter', 8, [at('data_source', 1, integers(local).uchar)])
    const target = btf()
    target.struct('iov_iter', 8, [at('type', 0, integers(target).uint)])
    const entry = explained(local, target, { kind: 'byte_off', type, access: '0:0' })
    expect(entry).toMatchObject({
      reason: 'field_missing', detail: 'struct iov_iter has no member data_source in this kernel. It has type.'
    })
    expect(entry.suggestions.map(({ text }) => text)).toEqual(['Read data_source only where the kernel has it:'])
  })
})

describe('a type that is missing', () => {
  const missing = (make: (target: BtfBuilder) => void, modulesWith?: (type: string) => readonly string[]) => {
    const local = btf()
    const type = local.struct('foo', 4, [at('x', 0, integers(local).int)])
    const target = btf()
    make(target)
    return reportOf(local, target, [{ kind: 'byte_off', type, access: '0:0' }], modulesWith).relocations[0]
  }

  it('is told so, with a guard', () => {
    expect(missing(target => { target.int('int', 4) })).toMatchObject({
      reason: 'type_missing',
      detail: 'This kernel has no struct foo.',
      suggestions: [
        { code: 'if (bpf_core_type_exists(struct foo)) {\n\t/* use struct foo here */\n}' }, { code: 'struct foo {\n\tint x;\n};' }
      ]
    })
  })

  it('is told as one of the interface of programs, which needs no relocation, where it is that', () => {
    const local = btf()
    const { uint } = integers(local)
    const type = local.struct('xdp_md', 8, [at('data', 0, uint), at('data_end', 4, uint)])
    expect(reportOf(local, btf(), [{ kind: 'byte_off', type, access: '0:0' }], undefined, 'xdp').relocations[0]).toMatchObject({
      reason: 'type_missing',
      detail: 'This kernel\'s BTF has no struct xdp_md, which does not tell that the kernel has none: its layout is part of the ' +
        'interface between kernels and programs (linux/bpf.h), and needs no relocation.',
      suggestions: [{ code: 'struct xdp_md {\n\tunsigned int data;\n\tunsigned int data_end;\n};' }]
    })
    expect(reportOf(local, btf(), [{ kind: 'type_exists', type, access: '0', was: 1 }], undefined, 'xdp').relocations[0]?.detail)
      .toBe('This kernel has no struct xdp_md.')
  })

  it.each([
    ['fanotify_event', 'fanotify_event_info', 'kprobe/x'],
    ['fanotify_event_info', 'fanotify_event', 'kprobe/x'],
    ['fqdir', 'netns_frags', 'kprobe/x'],
    ['trace_event_raw_block_rq_complete', 'trace_event_raw_block_rq_completion', 'tp/block/block_rq_complete']
  ])('is told with the name that the kernel has for it: %s', (name, other, section) => {
    const local = btf()
    const type = local.struct(name, 4, [at('x', 0, integers(local).int)])
    const target = btf()
    target.struct(other, 4, [at('x', 0, integers(target).int)])
    expect(reportOf(local, target, [{ kind: 'byte_off', type, access: '0:0' }], undefined, section).relocations[0]).toMatchObject({
      reason: 'type_missing',
      detail: `This kernel has no struct ${name}. It has struct ${other}.`,
      suggestions: [{ text: `Use struct ${name} only where the kernel has it:` }]
    })
  })

  it.each<[string, string, (target: BtfBuilder) => void]>([
    ['a union', 'the name is a union there', target => { target.union('foo', 4) }],
    ['an enum', 'the name is an enum there', target => { target.enum('foo', [['FOO', 0]]) }],
    ['a typedef', 'the name is a typedef there', target => { target.typedef('foo', target.int('int', 4)) }],
    ['a declaration', 'the name is only declared (struct or union, without members) there', target => { target.fwd('foo') }]
  ])('is told as what it is there: %s', (_, told, make) => {
    expect(missing(make)).toMatchObject({
      status: 'poisoned',
      reason: 'type_kind_differs',
      detail: `This kernel has no struct foo; ${told}.`,
      suggestions: [{
        text: 'Use struct foo only where the kernel has it:',
        code: 'if (bpf_core_type_exists(struct foo)) {\n\t/* use struct foo here */\n}'
      }]
    })
  })

  it('is told as a struct where the program takes it for a union', () => {
    const local = btf()
    const type = local.union('foo', 4, [at('x', 0, integers(local).int)])
    const target = btf()
    target.struct('foo', 4, [at('x', 0, integers(target).int)])
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:0' })).toMatchObject({
      reason: 'type_kind_differs', detail: 'This kernel has no union foo; the name is a struct there.'
    })
  })

  it('is told with the modules that have it', () => {
    const entry = missing(target => { target.int('int', 4) }, type => type === 'struct foo' ? ['nfs', 'nfsd'] : [])
    expect(entry).toMatchObject({
      reason: 'type_in_module',
      detail: 'The kernel itself has no struct foo; its modules nfs and nfsd have one. Name the module in `modules`, where the node ' +
        'has it loaded before the program.'
    })
  })
})

describe('an enumerator that is missing', () => {
  it('is told with one that is near, and code that takes it', () => {
    const local = btf()
    const type = local.enum('hook', [['HOOK_A', 0], ['HOOK_SEND', 7]])
    const target = btf()
    target.enum('hook', [['HOOK_A', 0], ['HOOK_SEND_V2', 9]])
    const entry = explained(local, target, { kind: 'enumval_value', type, access: '1', insn: asm.ldImm64(1, 7) })
    expect(entry).toMatchObject({
      reason: 'enumerator_missing', detail: 'enum hook has no enumerator HOOK_SEND in this kernel. It has HOOK_SEND_V2.'
    })
    expect(entry.suggestions.map(({ code }) => code)).toEqual([
      expect.stringMatching(/^enum hook___new \{ HOOK_SEND_V2___new = 0 \};\n\nstatic __always_inline long hook_HOOK_SEND\(void\)/),
      'if (bpf_core_enum_value_exists(enum hook, HOOK_SEND)) {\n\t/* use bpf_core_enum_value(enum hook, HOOK_SEND) here */\n}'
    ])
  })

  it('is told without the flavour by which the program has it', () => {
    const local = btf()
    const type = local.enum('hook___mine', [['HOOK_SEND___mine', 7]])
    const target = btf()
    target.enum('hook', [['HOOK_A', 0]])
    const entry = explained(local, target, { kind: 'enumval_value', type, access: '0', insn: asm.ldImm64(1, 7) })
    expect(entry.detail).toBe('enum hook has no enumerator HOOK_SEND in this kernel.')
    expect(entry.suggestions[0]?.code).toContain('bpf_core_enum_value_exists(enum hook___mine, HOOK_SEND___mine)')
  })
})

describe('several types of one name', () => {
  it('that do not agree are told with the place in each', () => {
    const local = btf()
    const type = local.struct('adapter', 8, [at('x', 0, integers(local).ullong)])
    const target = btf()
    const { ullong } = integers(target)
    const first = target.struct('adapter', 16, [at('x', 0, ullong)])
    const second = target.struct('adapter', 24, [at('x', 16, ullong)])
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:0' })).toMatchObject({
      status: 'failed',
      reason: 'ambiguous',
      detail: `This kernel has several types struct adapter, which do not agree: adapter.x is at byte 0 in type ${first} of 16 bytes ` +
        `and at byte 16 in type ${second} of 24 bytes. libbpf refuses to choose.`
    })
  })

  it('of which an earlier relocation ruled one out are told with that relocation', () => {
    const local = btf()
    const { ullong } = integers(local)
    const type = local.struct('adapter', 16, [at('gotcl_old', 0, ullong), at('ptp_delta', 8, ullong)])
    const kernel = btf()
    const long = kernel.int('long long', 8)
    const first = kernel.struct('adapter', 2480, [at('gotcl_old', 608, long)])
    const second = kernel.struct('adapter', 12_544, [at('ptp_delta', 12_512, long)])
    const entry = explained(local, kernel, { kind: 'byte_off', type, access: '0:0' }, { kind: 'byte_off', type, access: '0:1', was: 8 })
    expect(entry).toMatchObject({
      status: 'poisoned',
      reason: 'type_ruled_out',
      detail: `This kernel has several types struct adapter. adapter.ptp_delta is in type ${second} of 12544 bytes, which the ` +
        `relocation of adapter.gotcl_old (instruction 0 of test) ruled out, because only type ${first} of 2480 bytes has that field. ` +
        'Each flavour of the struct is looked up by itself.'
    })
    expect(entry.suggestions[0]).toMatchObject({
      text: 'Read ptp_delta by a flavour of its own where a type of the kernel has it, and as before where none has:',
      code: expect.stringMatching(/^struct adapter___new \{ long long ptp_delta; \}/)
    })
  })
})

describe('a type that does not match', () => {
  it('is told by its first difference, and where that is only the spelling of compilers', () => {
    const local = btf()
    const type = local.struct(
      'timespec64', 16,
      [at('tv_sec', 0, local.int('long long', 8, { signed: true })), at('tv_nsec', 8, local.int('long', 8, { signed: true }))]
    )
    const gcc = btf()
    gcc.struct(
      'timespec64', 16,
      [at('tv_sec', 0, gcc.int('long long', 8, { signed: true })), at('tv_nsec', 8, gcc.int('long int', 8, { signed: true }))]
    )
    expect(explained(local, gcc, { kind: 'type_matches', type, was: 1 })).toMatchObject({
      status: 'absent',
      reason: 'type_differs',
      detail: 'struct timespec64 exists in this kernel, but does not have everything that the object\'s declaration has: its member ' +
        'tv_nsec is long in the object and long int in this kernel. ' +
        'That is one type in the spelling of two compilers (long, long int), and type_matches compares the spelling.',
      suggestions: []
    })
    const other = btf()
    other.struct('timespec64', 8, [at('tv_sec', 0, other.int('long long', 8, { signed: true }))])
    expect(explained(local, other, { kind: 'type_matches', type, was: 1 }).detail).toMatch(/: it has no member tv_nsec\.$/)
  })
})

describe('an instruction that does not hold what the types say', () => {
  it('holds an offset that the compiler cut to 16 bits', () => {
    const local = btf()
    const type = local.struct('big', 0x10010, [at('f', 0x10008, integers(local).int)])
    const target = btf()
    target.struct('big', 0x200, [at('f', 0x106, integers(target).int)])
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:0', insn: asm.ldx('w', 2, 1, 8) })).toMatchObject({
      status: 'failed',
      reason: 'value_mismatch',
      detail: expect.stringMatching(
        /^The instruction holds 8 where the object's own types say 65544 for big\.f\. The compiler cut the offset to 16 bits: /
      )
    })
  })

  it('holds an enumerator that libbpf reads with a sign: both readings are told', () => {
    const local = btf()
    const type = local.enum('f', [['U', 0x80000000]])
    const target = btf()
    target.enum('f', [['U', 0x90000000]])
    expect(explained(local, target, { kind: 'enumval_value', type, access: '0', insn: asm.ldImm64(1, 0x80000000n) }).detail)
      .toMatch(
        /^The instruction holds 2147483648 where the object's own types say 18446744071562067968 \(signed -2147483648\) for f\.U\. The compiler takes the enumerator as unsigned, /
      )
  })

  it('holds the sign of an enum that clang 14 leaves out of BTF', () => {
    const local = btf()
    const type = local.struct('b', 4, [bitsAt('s', 0, 4, local.enum('sg', [['N', -1]]))])
    const target = btf()
    target.struct('b', 4, [bitsAt('s', 0, 4, target.enum('sg', [['N', -1]]))])
    expect(explained(local, target, { kind: 'signed', type, access: '0:0', was: 1 }).detail).toMatch(
      /clang 14 and older say "signed" of such an enum/
    )
  })

  it('was changed, for all that can be told otherwise', () => {
    expect(field('x', ({ uint }) => [at('x', 8, uint)], { was: 99 }).detail).toBe(
      'The instruction holds 99 where the object\'s own types say 0 for foo.x. The object was changed after it was compiled, or is ' +
        'relocated already.'
    )
  })
})

describe('an access string that does not fit the object', () => {
  it('is told with the struct and the member at which it breaks', () => {
    const local = btf()
    const { int, char } = integers(local)
    const type = local.struct('mid', 8, [at('n', 0, int), at('z', 4, local.array(char, 0)), at('k', 4, int)])
    const target = btf()
    target.int('int', 4)
    expect(explained(local, target, { kind: 'byte_off', type, access: '0:1:0' })).toMatchObject({
      access: 'mid.z',
      reason: 'access_malformed',
      detail: expect.stringMatching(
        /^The access string "0:1:0" of struct mid does not fit the object's own type at mid\.z \(char z\[0\]\): it is an array of 0, /
      )
    })
  })
})

describe('a value that does not do', () => {
  const bitfields = (steps: (type: number) => readonly Step[]) => {
    const local = btf()
    const type = local.struct('foo', 4, [at('proto', 0, integers(local).ushort)])
    const target = btf()
    target.struct('foo', 8, [bitsAt('proto', 40, 8, integers(target).uint)])
    return reportOf(local, target, steps(type))
  }

  it('is a plain read of what is a bitfield in the kernel: a warning, with what to write', () => {
    const { relocations: [entry], warnings } = bitfields(type => [{ kind: 'byte_off', type, access: '0:0' }])
    const detail = 'foo.proto is unsigned short proto (2 bytes) in the object and unsigned int proto:8 (a bitfield at bit 40) in this ' +
      'kernel. The program reads it as a plain field, so that it gets a wrong value, as it would from libbpf.'
    expect(entry).toMatchObject({
      status: 'resolved',
      reason: 'bitfield_read_plainly',
      detail,
      suggestions: [{ code: expect.stringContaining('BPF_CORE_READ_BITFIELD_PROBED(p, proto)') }]
    })
    expect(warnings).toEqual([
      { code: 'bitfield_read_plainly', message: `test, instruction 0: ${detail} Read it with BPF_CORE_READ_BITFIELD_PROBED().` }
    ])
  })

  it('is none where the program asks for the bits too, as BPF_CORE_READ_BITFIELD does', () => {
    const { relocations, warnings } = bitfields(type => [
      {
        kind: 'byte_off', type, access: '0:0'
      }, { kind: 'lshift_u64', type, access: '0:0', was: 48 }, { kind: 'rshift_u64', type, access: '0:0', was: 48 }
    ])
    expect([relocations.map(({ reason }) => reason), warnings]).toEqual([[null, null, null], []])
  })

  it('is a direct read of a bitfield whose bits are elsewhere in the kernel, and not one whose bits stayed', () => {
    const local = btf()
    const { uint } = integers(local)
    const type = local.struct('S', 4, [bitsAt('moved', 4, 1, uint), bitsAt('same', 8, 4, uint)])
    const target = btf()
    const word = integers(target).uint
    target.struct('S', 8, [bitsAt('moved', 32, 1, word), bitsAt('same', 40, 4, word)])
    const { relocations } = reportOf(local, target, [{ kind: 'byte_off', type, access: '0:0' }, { kind: 'byte_off', type, access: '0:1' }])
    expect(relocations.map(({ access, reason }) => [access, reason])).toEqual([['S.moved', 'bitfield_read_plainly'], ['S.same', null]])
  })

  it('is a size with which the verifier does not know the instruction', () => {
    const local = btf()
    const { uint } = integers(local)
    const type = local.struct('s', 8, [at('u', 0, uint), at('w', 4, uint)])
    const target = btf()
    const { uchar, ullong } = integers(target)
    target.struct('s', 16, [at('u', 0, uchar), at('w', 8, ullong)])
    const report = reportOf(local, target, [
      { kind: 'byte_off', type, access: '0:0', insn: asm.slot(0xc3, 1, 2, 0, 0) }, // lock *(u32 *)(r1 + 0) += r2
      { kind: 'byte_off', type, access: '0:1', insn: asm.slot(0x81, 2, 1, 4, 0) }, // r2 = *(s32 *)(r1 + 4)
      { kind: 'byte_off', type, access: '0:0', insn: asm.ldx('w', 2, 1, 0) }
    ])
    expect(report.relocations.map(({ access, status, reason, detail }) =>
      [access, status, reason, detail?.replace(/^.*which makes it /, '')])).toEqual([
      ['s.u', 'resolved', 'opcode_invalid', 'an atomic operation on one byte, which no verifier allows.'],
      ['s.w', 'resolved', 'opcode_invalid', 'a sign-extending load of 8 bytes, an opcode that no verifier knows.'],
      ['s.u', 'resolved', null, undefined]
    ])
    expect(report.verdict).not.toBe('loads')
  })
})

describe('a register of another architecture', () => {
  const REGISTERS: Readonly<Record<string, readonly string[]>> = {
    x86_64: ['r15', 'r8', 'ax', 'dx', 'si', 'di', 'orig_ax', 'ip', 'sp'],
    arm64: ['regs', 'sp', 'pc', 'pstate'],
    riscv64: ['epc', 'ra', 'sp', 'a0']
  }

  /** A kernel with such registers. */
  function kernelOf (arch: string): BtfBuilder {
    const kernel = btf()
    const { ullong } = integers(kernel)
    kernel.struct('pt_regs', 256, (REGISTERS[arch] ?? []).map((name, i) => at(name, 8 * i, ullong)))
    return kernel
  }

  /** What is told of a read of a member of `struct type`. */
  function read (type: string, member: string, target: BtfBuilder, kind: Step['kind'] = 'byte_off'): ReportRelocation {
    const local = btf()
    const was = kind === 'field_exists' ? 1 : 0
    return explained(local, target, { kind, was, type: local.struct(type, 8, [at(member, 0, integers(local).ullong)]), access: '0:0' })
  }

  it('is told as one, with what holds for all of the program first, then the macro that reads it on each', () => {
    expect(read('pt_regs', 'di', kernelOf('arm64'))).toMatchObject({
      reason: 'field_missing',
      detail: 'struct pt_regs has no member di in this kernel. Its registers are those of arm64, and di is a register of x86_64: the ' +
        'object was compiled for another architecture.',
      suggestions: [{
        text: 'Compile the program for arm64: with -D__TARGET_ARCH_arm64 and the vmlinux.h of such a kernel. Read registers by the ' +
          'macros of bpf/bpf_tracing.h only, such as PT_REGS_PARM1().',
        code: ''
      }, {
        text: 'Read the register by its macro of bpf/bpf_tracing.h, which is right for each architecture:',
        code: 'static __always_inline unsigned long pt_regs_di(struct pt_regs *p)\n{\n\treturn PT_REGS_PARM1_CORE(p);\n}'
      }]
    })
    expect(read('pt_regs', 'ax', kernelOf('riscv64')).suggestions[1]?.code).toContain('PT_REGS_RC_CORE(p)')
  })

  it('is told with words alone where no macro reads it', () => {
    expect(read('pt_regs', 'regs', kernelOf('x86_64')).suggestions).toEqual([{
      text: 'Compile the program for x86_64: with -D__TARGET_ARCH_x86 and the vmlinux.h of such a kernel. Read registers by the macros ' +
        'of bpf/bpf_tracing.h only, such as PT_REGS_PARM1().',
      code: ''
    }])
  })

  it('is told where the kernel lacks the type by which another architecture reads them', () => {
    expect(read('user_pt_regs', 'regs', kernelOf('x86_64'))).toMatchObject({
      reason: 'type_missing',
      detail: 'This kernel has no struct user_pt_regs. Its registers are those of x86_64, and programs read registers by it on arm64 ' +
        'or s390x: the object was compiled for another architecture.'
    })
  })

  it('is not seen in what no architecture has, nor in what the kernel\'s own has in other versions, nor in a question for it', () => {
    expect(read('pt_regs', 'strange', kernelOf('arm64')).detail).toBe('struct pt_regs has no member strange in this kernel.')
    expect(read('pt_regs', 'orig_x0', kernelOf('arm64')).detail).toBe('struct pt_regs has no member orig_x0 in this kernel.')
    expect(read('pt_regs', 'di', kernelOf('arm64'), 'field_exists').detail).toBe('struct pt_regs has no member di in this kernel.')
    expect(read('pt_regs', 'di', kernelOf('none')).detail).toBe('struct pt_regs has no member di in this kernel.')
    expect(read('user_pt_regs', 'regs', kernelOf('arm64')).detail).toBe('This kernel has no struct user_pt_regs.')
  })
})

describe('a type that each architecture declares for itself', () => {
  /** What is told of a read of `struct type` beside reads of registers, on a kernel for arm64. */
  function told (type: string, registers: readonly string[], kind: Step['kind'] = 'byte_off'): ReportRelocation | undefined {
    const local = btf()
    const { ullong } = integers(local)
    const regs = local.struct('pt_regs', 8 * registers.length, registers.map((name, i) => at(name, 8 * i, ullong)))
    const target = btf()
    const there = integers(target).ullong
    target.struct('pt_regs', 32, ['regs', 'sp', 'pc', 'pstate'].map((name, i) => at(name, 8 * i, there)))
    target.struct('thread_struct', 8, [at('fault_address', 0, there)])
    target.struct('other', 8, [at('fault_address', 0, there)])
    const reads = registers.map((_, i): Step =>
      ({ kind, type: regs, access: `0:${i}`, was: kind === 'byte_off' ? 8 * i : 1 }))
    const read: Step = { kind: 'byte_off', type: local.struct(type, 8, [at('fsbase', 0, ullong)]), access: '0:0' }
    return reportOf(local, target, [...reads, read]).relocations.find(({ access }) => access === `${type}.fsbase`)
  }
  const COMPILED = 'The object was compiled for x86_64, whose registers it reads, and this kernel is one for arm64.'

  it('is told first to be of the architecture that the object was compiled for, where its registers tell that', () => {
    const compile = { text: expect.stringMatching(/^Compile the program for arm64: /), code: '' }
    expect(told('thread_struct', ['di'])).toMatchObject({
      reason: 'field_missing',
      detail: `struct thread_struct has no member fsbase in this kernel. ${COMPILED}`,
      suggestions: [compile, { text: 'Read fsbase only where the kernel has it:' }]
    })
    expect(told('fpu', ['di', 'sp', 'orig_ax'])).toMatchObject({
      reason: 'type_missing',
      detail: `This kernel has no struct fpu. ${COMPILED}`,
      suggestions: [compile, { text: 'Use struct fpu only where the kernel has it:' }]
    })
  })

  it('is told plainly where the registers do not tell, or are those of several, or are asked for', () => {
    const plain = 'struct thread_struct has no member fsbase in this kernel.'
    for (const registers of [[], ['sp'], ['pstate'], ['di', 'regs']]) expect(told('thread_struct', registers)?.detail).toBe(plain)
    expect(told('thread_struct', ['di'], 'field_exists')?.detail).toBe(plain)
    expect(told('other', ['di'])?.detail).toBe('struct other has no member fsbase in this kernel.')
  })
})

describe('a program whose target the kernel does not have', () => {
  const told = (type: string, section: string) => {
    const local = btf()
    const step = { kind: 'byte_off', type: local.struct(type, 8, [at('x', 0, integers(local).ullong)]), access: '0:0' } as const
    return reportOf(local, btf(), [step], undefined, section).relocations[0]
  }

  it('is to be left out there, be it an iterator or a tracepoint', () => {
    expect(told('bpf_iter__task', 'iter/task')).toMatchObject({
      reason: 'type_missing',
      detail: 'This kernel has no struct bpf_iter__task. So it has no iterator of task, and the program cannot attach.',
      suggestions: [{
        text: 'A guard inside the program does not help. Load the program only where the kernel has the iterator: with this section ' +
          'libbpf leaves it out, unless the loader calls bpf_program__set_autoload(prog, true):',
        code: 'SEC("?iter/task")'
      }, { text: 'Use struct bpf_iter__task only where the kernel has it:' }]
    })
    expect(told('bpf_iter__task', '?iter.s/task')?.suggestions[0]?.code).toBe('SEC("?iter.s/task")')
    expect(told('trace_event_raw_gone', 'tracepoint/sched/gone')).toMatchObject({
      detail: 'This kernel has no struct trace_event_raw_gone. So it may not have the tracepoint, and the program cannot attach.',
      suggestions: [{ code: 'SEC("?tracepoint/sched/gone")' }, {}]
    })
    expect(told('syscall_trace_exit', 'tp/syscalls/sys_exit_setsid')?.suggestions[0]?.code).toBe('SEC("?tp/syscalls/sys_exit_setsid")')
  })

  it('is not meant where the program asks for the tracepoint\'s type of other kernels, too, and this one has that', () => {
    const local = btf()
    const { ullong } = integers(local)
    const steps = ['of_its_class', 'of_its_own'].map(name =>
      ({ kind: 'byte_off', type: local.struct(`trace_event_raw_${name}`, 8, [at('x', 0, ullong)]), access: '0:0' } as const))
    const target = btf()
    target.struct('trace_event_raw_of_its_own', 8, [at('x', 0, integers(target).ullong)])
    const { relocations } = reportOf(local, target, steps, undefined, 'tp/net/moved')
    expect(relocations.find(({ reason }) => reason !== null)).toMatchObject({
      detail: 'This kernel has no struct trace_event_raw_of_its_class.',
      suggestions: [{ text: 'Use struct trace_event_raw_of_its_class only where the kernel has it:' }]
    })
  })

  it('is not meant where a program of another kind reads such a type', () => {
    expect(told('bpf_iter__task', 'kprobe/x')?.detail).toBe('This kernel has no struct bpf_iter__task.')
    expect(told('trace_event_raw_gone', 'kprobe/x')?.detail).toBe('This kernel has no struct trace_event_raw_gone.')
  })
})

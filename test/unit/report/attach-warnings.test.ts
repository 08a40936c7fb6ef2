import { expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { warnOfAttachTargets } from '../../../src/report/attach-warnings.js'
import { assembler } from '../../support/asm.js'
import { btf, type BtfBuilder } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { SHT } from '../../support/elf-writer.js'
import { buildObject, type ObjectSpec } from '../../support/object-builder.js'

const asm = assembler('little')
const code = concat(asm.mov(0, 0), asm.exit())

function kernel (add: (types: BtfBuilder) => void = () => {}): BtfBuilder {
  const types = btf()
  types.func('do_exit', types.funcProto(0))
  add(types)
  return types
}

interface Given {
  readonly sections?: readonly string[]
  readonly spec?: Partial<ObjectSpec>
  readonly of?: BtfBuilder
  readonly module?: (types: BtfBuilder) => void
}

/** What is told of an object with a program in each section, `p0` and so on; undefined where nothing is. */
function told ({ sections = ['raw_tp/a'], spec = {}, of = kernel(), module }: Given): string | undefined {
  const programs = sections.map((section, i) => ({ section, name: `p${i}`, code }))
  const object = parseObject(buildObject({ local: btf(), programs, ...spec }).bytes)
  const vmlinux = parseBtf(of.bytes())
  const split = btf({ base: of })
  module?.(split)
  const modules = module === undefined ? [] : [parseBtf(split.bytes(), { base: vmlinux })]
  const warnings = warnOfAttachTargets(object, { btf: vmlinux, modules })
  expect(warnings.length).toBeLessThanOrEqual(1)
  expect(warnings.every(warning => warning.code === 'attach_target_missing')).toBe(true)
  return warnings[0]?.message
}

it('a function that the kernel lacks is told with the programs that attach to it', () => {
  expect(told({ sections: ['fentry/gone', 'fexit.s/gone', 'fmod_ret/do_exit'] })).toBe(
    'The BTF of the kernel lacks what this object attaches to: function gone (p0, p1). libbpf does not load it there, unless the ' +
    'application leaves these programs or maps out or gives them other targets, or a module that is loaded has what is missing.'
  )
})

it.each([
  ['tp_btf/sched_switch', 'typedef btf_trace_sched_switch (p0)', (types: BtfBuilder) => { types.typedef('btf_trace_sched_switch', 0) }],
  ['lsm/file_open', 'function bpf_lsm_file_open (p0)', (types: BtfBuilder) => { types.func('bpf_lsm_file_open', types.funcProto(0)) }],
  ['lsm.s/file_open', 'function bpf_lsm_file_open (p0)', (types: BtfBuilder) => { types.func('bpf_lsm_file_open', types.funcProto(0)) }],
  ['lsm_cgroup/bind', 'function bpf_lsm_bind (p0)', (types: BtfBuilder) => { types.func('bpf_lsm_bind', types.funcProto(0)) }],
  ['iter/task', 'function bpf_iter_task (p0)', (types: BtfBuilder) => { types.func('bpf_iter_task', types.funcProto(0)) }]
] as const)('%s wants the name that libbpf makes of it', (section, missing, add) => {
  expect(told({ sections: [section] })).toContain(`attaches to: ${missing}.`)
  expect(told({ sections: [section], of: kernel(add) })).toBeUndefined()
})

it('a type of another kind, or a function whose name only begins so, is not what was asked for', () => {
  const of = kernel(types => {
    types.struct('btf_trace_a', 8)
    types.typedef('btf_trace_a___old', 0)
    types.func('do_exit_now', types.funcProto(0))
    types.var('do_ex', types.int('int', 4))
  })
  expect(told({ sections: ['tp_btf/a', 'fentry/do_ex'], of })).toContain('typedef btf_trace_a (p0), function do_ex (p1)')
})

it('nothing is told of programs that are loaded only when asked, that leave their target open, or that name the module', () => {
  const sections = ['?fentry/gone', 'fentry', 'fexit/', 'fentry/nf_tables:gone', 'kprobe/gone', 'struct_ops/gone']
  expect(told({ sections })).toBeUndefined()
})

it('the function that a renamed one became is told, where its name is near', () => {
  const of = kernel(types => {
    types.func('__blk_account_io_done', types.funcProto(0))
    types.func('migrate_misplaced_folio', types.funcProto(0))
  })
  expect(told({ sections: ['fentry/blk_account_io_done', 'fentry/migrate_misplaced_page'], of })).toContain(
    'function blk_account_io_done (p0; the kernel has __blk_account_io_done), ' +
    'function migrate_misplaced_page (p1; the kernel has migrate_misplaced_folio).'
  )
})

it('modules that were named are looked through as well', () => {
  const wanted = ['fentry/nf_new']
  expect(told({ sections: wanted, module: types => { types.func('nf_new', types.funcProto(0)) } })).toBeUndefined()
  expect(told({ sections: wanted, module: types => { types.func('other', types.funcProto(0)) } })).toContain(
    'The BTF of the kernel and of the modules that were named lacks'
  )
})

it('a kernel whose BTF describes no functions is told as that', () => {
  expect(told({ sections: ['fentry/do_exit'], of: btf() })).toContain(
    "The kernel's BTF describes no functions, and so not what this object attaches to: function do_exit (p0)."
  )
})

it('the interface of a struct_ops map is looked for by its essential name, and what registers it', () => {
  const local = btf()
  const ops = local.struct('sched_ext_ops___v2', 8)
  local.datasec('.struct_ops.link', 8, [[local.var('my_ops', ops), 0, 8]])
  const spec = { local, sectionsAfter: [{ name: '.struct_ops.link', type: SHT.PROGBITS, data: new Uint8Array(8) }] }
  expect(told({ spec })).toContain('attaches to: struct sched_ext_ops (my_ops).')
  const unregistered = kernel(types => { types.struct('sched_ext_ops', 8) })
  expect(told({ spec, of: unregistered })).toContain('struct bpf_struct_ops_sched_ext_ops (my_ops).')
  const of = kernel(types => {
    types.struct('sched_ext_ops', 8)
    types.struct('bpf_struct_ops_sched_ext_ops', 8)
  })
  expect(told({ spec, of })).toBeUndefined()
})

it('of many targets the first are told, and how many there are', () => {
  const sections = Array.from({ length: 25 }, (_, i) => `fentry/gone_${i}`)
  expect(told({ sections })).toContain('function gone_19 (p19) and 5 more. libbpf')
})

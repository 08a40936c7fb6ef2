import { assembler } from './asm.js'
import { at, bitsAt, btf, integers, layoutOfKnownKinds, type BtfBuilder } from './btf-builder.js'
import { BYTE_ORDERS, concat, type ByteOrder } from './byte-writer.js'
import { STB, STT } from './elf-writer.js'
import { buildObject, type BuiltObject, type CoreRecord, type ObjectSpec } from './object-builder.js'

/** A local `struct foo { int x; int y; }` in a BTF of its own. */
export function localFoo (byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const { int } = integers(b)
  return { b, int, foo: b.struct('foo', 8, [at('x', 0, int), at('y', 4, int)]) }
}

/** A target `struct foo { long long added; int x; int y; }`: x and y are 8 bytes later than in the local one. */
export function targetFoo (byteOrder: ByteOrder = 'little'): BtfBuilder {
  const b = btf({ byteOrder })
  const { int, llong } = integers(b)
  b.struct('foo', 16, [at('added', 0, llong), at('x', 8, int), at('y', 12, int)])
  return b
}

/** The smallest object with work to do: one program, a load of `foo.y`, moved by `targetFoo`. */
export function fooSpec (byteOrder: ByteOrder = 'little', changes: Partial<ObjectSpec> = {}): ObjectSpec {
  const { b, foo } = localFoo(byteOrder)
  const asm = assembler(byteOrder)
  return {
    local: b,
    programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.exit()) }],
    records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0:1', kind: 'byte_off' }],
    ...changes
  }
}

/** Local types of every kind that a relocation can be about. */
function everything (byteOrder: ByteOrder, moved: boolean) {
  const b = btf({ byteOrder })
  const { int, uint, char, ullong } = integers(b)
  const shift = moved ? 16 : 0
  const node = b.nextId + 1
  const nodePointer = b.ptr(node)
  b.struct('node', 16, [at('next', 0, nodePointer), at('value', 8, int)])
  const inner = b.union('', 8, [at('whole', 0, ullong), at('half', 0, uint)])
  const big = b.struct('big', 64 + shift, [
    at('id', shift, int),
    at('name', shift + 4, b.array(char, 16, uint)),
    { name: '', type: inner, bits: (shift + 24) * 8 },
    bitsAt('flag', (shift + 32) * 8, 1, uint),
    bitsAt('level', (shift + 32) * 8 + 1, 7, uint),
    at('wide', shift + 40, moved ? ullong : uint),
    at('link', shift + 48, nodePointer),
    at('tail', shift + 56, b.array(int, 0, uint))
  ])
  const state = b.enum('state', moved ? [['ON', 4], ['OFF', 5]] : [['OFF', 0], ['ON', 1]])
  const wide = b.enum64('wide_state', [['HUGE', moved ? 0x300000000n : 0x100000000n]])
  const callback = b.typedef('callback_t', b.ptr(b.funcProto(int, [['who', b.ptr(big)], ['what', b.const(b.volatile(int))]])))
  const proto = b.funcProto(int, [['ctx', b.ptr(0)]])
  const func = b.func('program', proto)
  b.datasec('.data', 4, [[b.var('counter', int), 0, 4]])
  b.declTag('tag', big, 0)
  b.ptr(b.typeTag('user', b.restrict(b.fwd('opaque'))))
  b.float('double', 8)
  const gone = b.struct(moved ? 'renamed' : 'gone', 4, [at('x', 0, int)])
  return { b, big, state, wide, callback, gone, node, func }
}

/** An object with a relocation of every kind, in two programs, a subprogram and an optional program. */
export function richObject (byteOrder: ByteOrder = 'little'): BuiltObject {
  const asm = assembler(byteOrder)
  const local = everything(byteOrder, false)
  const steps: Array<{ insn: Uint8Array, typeId: number, access?: string, kind: CoreRecord['kind'] }> = [
    { insn: asm.ldx('w', 2, 1, 0), typeId: local.big, access: '0:0', kind: 'byte_off' },
    { insn: asm.add(2, 7), typeId: local.big, access: '0:1:3', kind: 'byte_off' },
    { insn: asm.ldx('w', 2, 1, 24), typeId: local.big, access: '0:2:1', kind: 'byte_off' },
    { insn: asm.mov(1, 4), typeId: local.big, access: '0:3', kind: 'byte_sz' },
    { insn: asm.mov(1, 57), typeId: local.big, access: '0:4', kind: 'rshift_u64' },
    { insn: asm.mov(1, byteOrder === 'little' ? 56 : 33), typeId: local.big, access: '0:4', kind: 'lshift_u64' },
    { insn: asm.mov(1, 0), typeId: local.big, access: '0:4', kind: 'signed' },
    { insn: asm.mov(1, 1), typeId: local.big, access: '0:6', kind: 'field_exists' },
    { insn: asm.ldx('w', 2, 1, 40), typeId: local.big, access: '0:5', kind: 'byte_off' },
    { insn: asm.add(2, 64), typeId: local.big, access: '0:7:2', kind: 'byte_off' },
    { insn: asm.ldImm64(1, local.big), typeId: local.big, kind: 'local_type_id' },
    { insn: asm.ldImm64(1, local.big), typeId: local.big, kind: 'target_type_id' },
    { insn: asm.mov(1, 1), typeId: local.callback, kind: 'type_exists' },
    { insn: asm.mov(1, 16), typeId: local.node, kind: 'type_size' },
    { insn: asm.mov(1, 1), typeId: local.node, kind: 'type_matches' },
    { insn: asm.mov(1, 1), typeId: local.state, access: '1', kind: 'enumval_exists' },
    { insn: asm.ldImm64(1, 1), typeId: local.state, access: '1', kind: 'enumval_value' },
    { insn: asm.ldImm64(1, 0x100000000n), typeId: local.wide, access: '0', kind: 'enumval_value' },
    { insn: asm.mov(1, 1), typeId: local.gone, access: '0:0', kind: 'field_exists' },
    { insn: asm.ldx('w', 2, 1, 0), typeId: local.gone, access: '0:0', kind: 'byte_off' }
  ]
  const sections = ['raw_tp/first', 'kprobe/second', '.text', '?tp/optional']
  const records: CoreRecord[] = []
  const programs = sections.map((section, which) => {
    const mine = steps.filter((_, i) => i % sections.length === which)
    let insnOff = 0
    for (const step of mine) {
      records.push({
        section, insnOff, typeId: step.typeId, kind: step.kind, ...(step.access === undefined ? {} : { access: step.access })
      })
      insnOff += step.insn.length
    }
    return { section, name: `program_${which}`, code: concat(...mine.map(step => step.insn), asm.exit()) }
  })
  return buildObject({
    local: local.b,
    programs,
    records,
    sectionsAfter: [{ name: 'license', data: Uint8Array.of(0x47, 0x50, 0x4c, 0) }]
  })
}

/** A target in which everything `richObject` asks for has moved, and one struct is gone. */
export function richTarget (byteOrder: ByteOrder = 'little'): BtfBuilder {
  return everything(byteOrder, true).b
}

/** The types of `richObject`, for relocating it against itself. */
export function richLocal (byteOrder: ByteOrder = 'little'): BtfBuilder {
  return everything(byteOrder, false).b
}

/** Valid objects of different shapes, to be damaged by tests. */
export function validObjects (): Array<{ name: string, object: BuiltObject }> {
  return BYTE_ORDERS.flatMap(byteOrder => [
    { name: `rich ${byteOrder}`, object: richObject(byteOrder) },
    { name: `small ${byteOrder}`, object: buildObject(fooSpec(byteOrder)) },
    { name: `long header ${byteOrder}`, object: buildObject(fooSpec(byteOrder, { ext: { hdrLen: 40, headerFill: 0xaa } })) },
    {
      name: `core_relo first ${byteOrder}`,
      object: buildObject(fooSpec(byteOrder, { ext: { order: ['core_relo', 'func_info', 'line_info'] } }))
    }
  ])
}

/** Valid BTF of different shapes, to be damaged by tests. */
export function validBtf (): Array<{ name: string, bytes: Uint8Array }> {
  return BYTE_ORDERS.flatMap(byteOrder => [
    { name: `rich ${byteOrder}`, bytes: richTarget(byteOrder).bytes() },
    { name: `layout ${byteOrder}`, bytes: richTarget(byteOrder).bytes({ layout: layoutOfKnownKinds() }) },
    { name: `small ${byteOrder}`, bytes: targetFoo(byteOrder).bytes() },
    { name: `empty ${byteOrder}`, bytes: btf({ byteOrder }).bytes() }
  ])
}

/**
 * What decides a condition when the object is loaded:
 * `if (LINUX_KERNEL_VERSION < 5.11)`, `if (enabled)`, `if (CONFIG_BPF_JIT)`, `if (verbose)`.
 */
const GUARDS = {
  version: { symbol: 'LINUX_KERNEL_VERSION', size: 'w' },
  /** 0 in `.rodata`. */
  setting: { symbol: 'enabled', size: 'w' },
  configuration: { symbol: 'CONFIG_BPF_JIT', size: 'b' },
  module: { symbol: 'CONFIG_NF_TABLES', size: 'w' },
  /** 3 in `.rodata.settings`, behind another variable. */
  'other section': { symbol: 'verbose', size: 'w' }
} as const

/** An access of `foo.y` behind such a condition; behind `CONFIG_NF_TABLES == m` that of `module`. */
export function guardedObject (by: keyof typeof GUARDS): Uint8Array {
  const { b, foo } = localFoo()
  const { int, char, bool } = integers(b)
  const tristate = b.enum('libbpf_tristate', [['TRI_NO', 0], ['TRI_YES', 1], ['TRI_MODULE', 2]])
  b.datasec('.kconfig', 10, [
    [
      b.var('LINUX_KERNEL_VERSION', int, 2), 0, 4
    ], [b.var('CONFIG_NF_TABLES', tristate, 2), 4, 4], [b.var('CONFIG_BPF_JIT', bool, 2), 8, 1], [b.var('CONFIG_LETTER', char, 2), 9, 1]
  ])
  const asm = assembler('little')
  const { symbol, size } = GUARDS[by]
  const jump = by === 'version' ? asm.slot(0x25, 1, 0, 1, 0x50aff) : by === 'module' ? asm.slot(0x55, 1, 0, 1, 2) : asm.jeq(1, 0, 1)
  const code = concat(asm.ldImm64(1, 0), asm.ldx(size, 1, 1, 0), jump, asm.ldx('w', 2, 1, 4), asm.mov(0, 0), asm.exit())
  const section = 'raw_tp/a'
  const variable = { type: STT.OBJECT, binding: STB.GLOBAL, size: 4 }
  const extern = { type: STT.NOTYPE, binding: STB.GLOBAL }
  return buildObject({
    local: b,
    sectionsBefore: [
      { name: '.rodata', data: new Uint8Array(16) },
      ...by === 'other section' ? [{ name: '.rodata.settings', data: Uint8Array.of(7, 0, 0, 0, 3, 0, 0, 0) }] : []
    ],
    symbols: [
      {
        name: symbol,
        ...by === 'setting' ? { section: 1, ...variable } : by === 'other section' ? { section: 2, value: 4, ...variable } : extern
      },
      { name: 'limits', section: 1, value: 4, size: 12, type: STT.OBJECT, binding: STB.GLOBAL },
      ...by === 'other section' ? [{ name: symbol, section: 1, ...variable }, { name: 'level', section: 2, ...variable }] : []
    ],
    programs: [{ section, name: 'a', code }],
    records: [{ section, insnOff: 32, typeId: foo, access: '0:1', kind: 'byte_off' }],
    relocations: [{ section, offset: 0 }]
  }).bytes
}

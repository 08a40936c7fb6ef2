import { describe, expect, it } from 'vitest'
import { assembler, poison } from '../support/asm.js'
import { at, bitsAt, btf, integers, type BtfBuilder } from '../support/btf-builder.js'
import { BYTE_ORDERS, concat, toHex, type ByteOrder } from '../support/byte-writer.js'
import { outcomeOf, refusal, relocateObject, relocateSteps } from '../support/scenario.js'

// The vectors were measured with libbpf 1.8. Where the measurement used a kernel's BTF, a synthetic target with the same
// offsets stands in for it.

const little = assembler('little')
const POISON = '85 00 00 00 10 23 ad 0b'

function kernelTask (): BtfBuilder {
  const b = btf()
  const { int, uint, char } = integers(b)
  b.struct('task_struct', 0xcc0, [
    bitsAt('in_execve', 0x4a8 * 8 + 3, 1, uint),
    at('pid', 0x4f0, int),
    at('comm', 0x6d8, b.array(char, 16, uint))
  ])
  return b
}

function localTask () {
  const b = btf()
  const { int, uint, char } = integers(b)
  const task = b.struct('task_struct', 40, [
    at('pid', 0, int),
    at('tgid', 4, int),
    at('comm', 8, b.array(char, 16, uint)),
    bitsAt('in_execve', 256, 1, uint)
  ])
  return { b, task }
}

/** `struct bar { char *p; T u; int s; T arr[4]; T q; }` with the three types given. */
function bar (types: { u: 'unsigned int' | 'unsigned short', arr: 'unsigned short' | 'unsigned char', q: 'int' | 'long long' }) {
  const b = btf()
  const known = integers(b)
  const byName = {
    'unsigned int': known.uint, 'unsigned short': known.ushort, 'unsigned char': known.uchar, int: known.int, 'long long': known.llong
  }
  const id = b.struct('bar', 32, [
    at('p', 0, b.ptr(known.char)),
    at('u', 8, byName[types.u]),
    at('s', 12, known.int),
    at('arr', 16, b.array(byName[types.arr], 4, known.uint)),
    at('q', 24, byName[types.q])
  ])
  return { b, id }
}

const localBar = () => bar({ u: 'unsigned int', arr: 'unsigned short', q: 'int' })
const targetBar = () => bar({ u: 'unsigned short', arr: 'unsigned char', q: 'long long' }).b

/** Local `struct foo { int x; int b; }`. */
function localFoo (byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const { int } = integers(b)
  return { b, foo: b.struct('foo', 8, [at('x', 0, int), at('b', 4, int)]) }
}

/** Target `struct foo { int a, b; }` and `struct foo___2 { int x, y, b; }`. */
function twoFoos (byteOrder: ByteOrder = 'little'): BtfBuilder {
  const b = btf({ byteOrder })
  const { int } = integers(b)
  b.struct('foo', 8, [at('a', 0, int), at('b', 4, int)])
  b.struct('foo___2', 12, [at('x', 0, int), at('y', 4, int), at('b', 8, int)])
  return b
}

describe('golden vectors measured with libbpf 1.8', () => {
  it('A1 moves the offset of a load', () => {
    const { b, task } = localTask()
    const insn = little.ldx('w', 3, 1, 0)
    expect(toHex(insn)).toBe('61 13 00 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: kernelTask(), steps: [{ kind: 'byte_off', type: task, access: '0:0', insn }] })
    expect(result.code(0)).toBe('61 13 f0 04 00 00 00 00')
    expect(result.record(0)).toMatchObject({
      oldValue: 0n, newValue: 0x4f0n, status: 'resolved', kind: 'byte_off', accessSpec: '0:0', typeId: task
    })
  })

  it('A2 moves the offset of an array element', () => {
    const { b, task } = localTask()
    const insn = little.ldx('b', 3, 1, 11)
    expect(toHex(insn)).toBe('71 13 0b 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: kernelTask(), steps: [{ kind: 'byte_off', type: task, access: '0:2:3', insn }] })
    expect(result.code(0)).toBe('71 13 db 06 00 00 00 00')
  })

  it('A3 relocates the load offset and both shifts of a bitfield', () => {
    const { b, task } = localTask()
    const result = relocateSteps({
      local: b,
      target: kernelTask(),
      steps: [
        { kind: 'byte_off', type: task, access: '0:3', was: 32 },
        { kind: 'lshift_u64', type: task, access: '0:3', was: 63 },
        { kind: 'rshift_u64', type: task, access: '0:3', was: 63 }
      ]
    })
    expect([0, 1, 2].map(result.code)).toEqual([
      'b7 01 00 00 a8 04 00 00',
      'b7 01 00 00 3c 00 00 00',
      'b7 01 00 00 3f 00 00 00'
    ])
    expect([0, 1, 2].map(step => result.record(step).oldValue)).toEqual([32n, 63n, 63n])
  })

  it('A4 leaves the byte size of an equal array', () => {
    const { b, task } = localTask()
    const result = relocateSteps({ local: b, target: kernelTask(), steps: [{ kind: 'byte_sz', type: task, access: '0:2', was: 16 }] })
    expect(result.code(0)).toBe('b7 01 00 00 10 00 00 00')
    expect(result.relocation.changedInstructions).toBe(0)
  })

  it('A5 answers 0 to the existence of a member whose struct is absent', () => {
    const b = btf()
    const { int } = integers(b)
    const missing = b.struct('no_such_struct', 4, [at('x', 0, int)])
    const result = relocateSteps({
      local: b, target: kernelTask(), steps: [{ kind: 'field_exists', type: missing, access: '0:0', was: 1 }]
    })
    expect(result.code(0)).toBe('b7 01 00 00 00 00 00 00')
    expect(result.outcomes).toEqual(['absent'])
  })

  it('A6 poisons a load of that member', () => {
    const b = btf()
    const { int } = integers(b)
    const missing = b.struct('no_such_struct', 4, [at('x', 0, int)])
    const insn = little.ldx('w', 1, 1, 0)
    expect(toHex(insn)).toBe('61 11 00 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: kernelTask(), steps: [{ kind: 'byte_off', type: missing, access: '0:0', insn }] })
    expect(result.code(0)).toBe(POISON)
    expect(result.outcomes).toEqual(['poisoned'])
    expect(result.relocation.ok).toBe(true)
  })

  it('A7 poisons both slots of a 64-bit load of an absent enumerator', () => {
    const b = btf()
    const absent = b.enum('no_such_enum', [['NO_SUCH_VALUE', 5]])
    const result = relocateSteps({
      local: b, target: kernelTask(), steps: [{ kind: 'enumval_value', type: absent, insn: little.ldImm64(1, 5) }]
    })
    expect(result.code(0)).toBe(`${POISON} ${POISON}`)
  })

  it('A8 writes the size of a struct', () => {
    const { b, task } = localTask()
    const result = relocateSteps({ local: b, target: kernelTask(), steps: [{ kind: 'type_size', type: task, was: 40 }] })
    expect(result.code(0)).toBe('b7 01 00 00 c0 0c 00 00')
  })

  it('A9 keeps a local type id and writes the target type id', () => {
    const b = btf()
    const int = b.int('int', 4, { signed: true })
    const task = b.struct('task_struct', 40, [at('pid', 0, int)])
    expect(task).toBe(2)
    const target = btf()
    while (target.nextId < 0x72) target.int(`filler${target.nextId}`, 4)
    target.struct('task_struct', 0xcc0)
    const insn = little.ldImm64(1, 2)
    expect(toHex(insn)).toBe('18 01 00 00 02 00 00 00 00 00 00 00 00 00 00 00')
    const result = relocateSteps({
      local: b, target, steps: [{ kind: 'local_type_id', type: task, insn }, { kind: 'target_type_id', type: task, insn }]
    })
    expect(result.code(0)).toBe(toHex(insn))
    expect(result.code(1)).toBe('18 01 00 00 72 00 00 00 00 00 00 00 00 00 00 00')
    expect(result.record(0)).toMatchObject({ status: 'resolved', oldValue: 2n, newValue: 2n })
    expect(result.record(1)).toMatchObject({ status: 'resolved', oldValue: 2n, newValue: 0x72n })
  })

  it('A10 accepts a negative enumerator as a sign-extended 64-bit load', () => {
    const b = btf()
    const e = b.enum('e', [['NEGATIVE', -5]])
    const insn = little.ldImm64(1, -5)
    expect(toHex(insn)).toBe('18 01 00 00 fb ff ff ff 00 00 00 00 ff ff ff ff')
    const result = relocateSteps({ local: b, target: b, steps: [{ kind: 'enumval_value', type: e, insn }] })
    expect(result.code(0)).toBe(toHex(insn))
    expect(result.record(0)).toMatchObject({ status: 'resolved', newValue: 0xfffffffffffffffbn })
  })

  it('A11 refuses an unsigned 32-bit enumerator from 2^31 up, because it is read as signed', () => {
    const b = btf()
    const e = b.enum('e', [['ALL_ONES', 0xffffffff]])
    const insn = little.ldImm64(1, 0xffffffff)
    expect(toHex(insn)).toBe('18 01 00 00 ff ff ff ff 00 00 00 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: b, steps: [{ kind: 'enumval_value', type: e, insn }] })
    expect(result.outcomes).toEqual(['mismatch EINVAL'])
    expect(result.record(0).oldValue).toBe(18446744073709551615n)
    expect(result.record(0).detail).toMatch(/4294967295/)
  })

  it('A12 narrows a load of a member that became smaller', () => {
    const { b, id } = localBar()
    const insn = little.ldx('w', 2, 1, 8)
    expect(toHex(insn)).toBe('61 12 08 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: targetBar(), steps: [{ kind: 'byte_off', type: id, access: '0:1', insn }] })
    expect(result.code(0)).toBe('69 12 08 00 00 00 00 00')
  })

  it('A13 leaves a load of an unchanged member beside resized ones', () => {
    const { b, id } = localBar()
    const insn = little.ldx('w', 2, 1, 12)
    const result = relocateSteps({ local: b, target: targetBar(), steps: [{ kind: 'byte_off', type: id, access: '0:2', insn }] })
    expect(result.code(0)).toBe('61 12 0c 00 00 00 00 00')
  })

  it('A14 resizes a load of an array element by its element size', () => {
    const { b, id } = localBar()
    const insn = little.ldx('h', 2, 1, 18)
    expect(toHex(insn)).toBe('69 12 12 00 00 00 00 00')
    const result = relocateSteps({ local: b, target: targetBar(), steps: [{ kind: 'byte_off', type: id, access: '0:3:1', insn }] })
    expect(result.code(0)).toBe('71 12 11 00 00 00 00 00')
  })

  it('A15 poisons a load of a signed member whose size changed', () => {
    const { b, id } = localBar()
    const result = relocateSteps({
      local: b, target: targetBar(), steps: [{ kind: 'byte_off', type: id, access: '0:4', insn: little.ldx('w', 2, 1, 24) }]
    })
    expect(result.code(0)).toBe(POISON)
    expect(result.outcomes).toEqual(['poisoned'])
  })

  it('A16 takes the address of that member all the same', () => {
    const { b, id } = localBar()
    const result = relocateSteps({
      local: b, target: targetBar(), steps: [{ kind: 'byte_off', type: id, access: '0:4', insn: little.mov(2, 24) }]
    })
    expect(result.code(0)).toBe('b7 02 00 00 18 00 00 00')
    expect(result.outcomes).toEqual(['resolved 24'])
  })

  it('A17 prunes candidates by an earlier relocation, so that a later one is not ambiguous', () => {
    const { b, foo } = localFoo()
    const result = relocateSteps({
      local: b,
      target: twoFoos(),
      steps: [{ kind: 'byte_off', type: foo, access: '0:0', was: 0 }, { kind: 'byte_off', type: foo, access: '0:1', was: 4 }]
    })
    expect(result.outcomes).toEqual(['resolved 0', 'resolved 8'])
  })

  it('A18 finds the same relocations ambiguous in the other order', () => {
    const { b, foo } = localFoo()
    const result = relocateSteps({
      local: b,
      target: twoFoos(),
      steps: [{ kind: 'byte_off', type: foo, access: '0:1', was: 4 }, { kind: 'byte_off', type: foo, access: '0:0', was: 0 }]
    })
    expect(result.outcomes[0]).toBe('failed EINVAL')
    expect(result.record(0)).toMatchObject({ reason: 'ambiguous', oldValue: 4n })
    expect(result.relocation.ok).toBe(false)
  })

  it('A19 keeps the offset of an incompatible namesake inside an anonymous member, as libbpf does', () => {
    const { b, foo } = localFoo()
    const target = btf()
    const { int } = integers(target)
    const inner = target.struct('', 16, [at('pad', 0, int), { name: 'x', type: target.ptr(0), bits: 64 }])
    target.struct(
      'foo', 40, [{ name: '', type: inner, bits: 128 }, { name: 'x', type: int, bits: 256 }, { name: 'b', type: int, bits: 288 }]
    )
    const result = relocateSteps({
      local: b,
      target,
      steps: [{ kind: 'byte_off', type: foo, access: '0:0', was: 0 }, { kind: 'byte_off', type: foo, access: '0:1', was: 4 }]
    })
    expect(result.outcomes).toEqual(['resolved 40', 'resolved 36'])
  })

  it('A20 relocates a big-endian object in its own byte order', () => {
    const { b, foo } = localFoo('big')
    const big = assembler('big')
    const result = relocateSteps({
      local: b,
      target: twoFoos('big'),
      steps: [
        { kind: 'byte_off', type: foo, access: '0:0', insn: big.ldx('w', 2, 1, 0) },
        { kind: 'byte_off', type: foo, access: '0:1', insn: big.ldx('w', 2, 1, 4) }
      ]
    })
    expect(result.outcomes).toEqual(['resolved 0', 'resolved 8'])
    expect(result.code(0)).toBe('61 21 00 00 00 00 00 00')
    expect(result.code(1)).toBe('61 21 00 08 00 00 00 00')
  })

  // libbpf gives the same offsets here. No kernel loads such an object, so we say so instead of handing out a file that cannot work.
  it.each(BYTE_ORDERS)('A20 refuses a %s-endian object for a kernel of the other byte order', (byteOrder) => {
    const { b, foo } = localFoo(byteOrder)
    const other = twoFoos(byteOrder === 'little' ? 'big' : 'little')
    refusal('btf_invalid', () =>
      relocateSteps({ local: b, target: other, steps: [{ kind: 'byte_off', type: foo, access: '0:0', was: 0 }] }))
  })

  it('A21 refuses a bitfield of 61 bits at bit 4', () => {
    const b = btf()
    const { ullong } = integers(b)
    const local = b.struct('wide', 16, [bitsAt('a', 0, 4, ullong), bitsAt('f', 4, 8, ullong)])
    const target = btf()
    const t = integers(target)
    target.struct('wide', 16, [bitsAt('a', 0, 4, t.ullong), bitsAt('f', 4, 61, t.ullong)])
    const result = relocateSteps({ local: b, target, steps: [{ kind: 'byte_off', type: local, access: '0:1', was: 0 }] })
    expect(result.outcomes).toEqual(['failed E2BIG'])
  })

  it('A22 refuses a candidate typedef of a forward declaration, even for existence', () => {
    const b = btf()
    const { int } = integers(b)
    const local = b.typedef('foo_t', b.struct('foo', 4, [at('a', 0, int)]))
    const target = btf()
    target.typedef('foo_t', target.fwd('foo'))
    const result = relocateSteps({ local: b, target, steps: [{ kind: 'field_exists', type: local, access: '0:0', was: 1 }] })
    expect(result.outcomes).toEqual(['failed EINVAL'])
  })

  it('A23 matches list_head with itself, through its own pointers', () => {
    const listHead = () => {
      const b = btf()
      const self = b.nextId + 1
      const pointer = b.ptr(self)
      return { b, id: b.struct('list_head', 16, [at('next', 0, pointer), at('prev', 8, pointer)]) }
    }
    const { b, id } = listHead()
    const result = relocateSteps({ local: b, target: listHead().b, steps: [{ kind: 'type_matches', type: id, was: 1 }] })
    expect(result.outcomes).toEqual(['resolved 1'])
    expect(result.code(0)).toBe('b7 01 00 00 01 00 00 00')
  })

  it('A24 does not match when clang and gcc spell the integer types differently', () => {
    const timespec = (second: string, nanosecond: string) => {
      const b = btf()
      const members = [at('tv_sec', 0, b.int(second, 8, { signed: true })), at('tv_nsec', 8, b.int(nanosecond, 8, { signed: true }))]
      return { b, id: b.struct('timespec64', 16, members) }
    }
    const { b, id } = timespec('long long', 'long')
    const result = relocateSteps({
      local: b, target: timespec('long long int', 'long int').b, steps: [{ kind: 'type_matches', type: id, was: 1 }]
    })
    expect(result.outcomes).toEqual(['absent'])
    expect(result.code(0)).toBe('b7 01 00 00 00 00 00 00')
  })

  it('A25 says that a typedef of double does not exist, even in the same BTF', () => {
    const b = btf()
    const id = b.typedef('real', b.float('double', 8))
    const result = relocateSteps({ local: b, target: b, steps: [{ kind: 'type_exists', type: id, was: 1 }] })
    expect(result.outcomes).toEqual(['absent'])
  })

  it('A26 refuses a record on the second slot of a 64-bit load', () => {
    const { b, foo } = localFoo()
    const { outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(little.ldImm64(1, 1), little.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 8, typeId: foo, kind: 'type_exists' }]
    }, b)
    expect(outcomes).toEqual(['failed EINVAL'])
  })

  it('A27 refuses kind 13', () => {
    const { b, foo } = localFoo()
    const result = relocateSteps({ local: b, target: b, steps: [{ kind: 13, type: foo, was: 1 }] })
    expect(result.outcomes).toEqual(['failed EINVAL'])
    expect(result.record(0).kind).toBe('unknown(13)')
  })

  it('A28 refuses a type id past the last type', () => {
    const { b } = localFoo()
    const result = relocateSteps({ local: b, target: b, steps: [{ kind: 'byte_off', type: 99999, access: '0:0' }] })
    expect(result.outcomes).toEqual(['failed EINVAL'])
    expect(result.record(0)).toMatchObject({ typeId: 99999, oldValue: 0n })
  })

  it('A29 refuses an instruction offset that is not a multiple of 8', () => {
    const { b, foo } = localFoo()
    const { relocation, outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(little.mov(1, 0), little.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 4, typeId: foo, access: '0:0', kind: 'byte_off' }]
    }, b)
    expect(outcomes).toEqual(['failed EINVAL'])
    expect(relocation.records[0]).toMatchObject({ insnOff: 4, section: 'raw_tp/a' })
  })

  // libbpf leaves `?` programs untouched (it does not load them). We relocate them, because cilium/ebpf loads them by default;
  // what libbpf would have refused there is poisoned and does not fail the object.
  it('A30 poisons what fails in a program that libbpf does not load, and does not fail the object', () => {
    const b = btf()
    const { ullong } = integers(b)
    const local = b.struct('wide', 16, [bitsAt('f', 4, 8, ullong)])
    const target = btf()
    const t = integers(target)
    target.struct('wide', 16, [bitsAt('f', 4, 61, t.ullong)])
    const { object, relocation } = relocateObject({
      local: b,
      programs: [{ section: '?raw_tp/a', name: 'a', code: concat(little.mov(1, 0), little.exit()) }],
      records: [{ section: '?raw_tp/a', insnOff: 0, typeId: local, access: '0:0', kind: 'byte_off' }]
    }, target)
    expect(relocation.ok).toBe(true)
    expect(relocation.records.map(outcomeOf)).toEqual(['poisoned E2BIG'])
    const start = object.section('?raw_tp/a').offset
    expect(toHex(relocation.bytes?.slice(start, start + 8) ?? new Uint8Array())).toBe(toHex(poison('little')))
  })
})

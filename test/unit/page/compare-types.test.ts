import { describe, expect, it } from 'vitest'
import { compareEnumerators, compareMembers, memberOf, parseNamedType } from '../../../page/model/compare-types.js'
import type { MemberDefinition, TypeDefinition } from '../../../src/wire/types.js'

const member = (name: string | null, type: string, bits: number, changes: Partial<MemberDefinition> = {}): MemberDefinition =>
  ({ name, type, bit_offset: bits, bitfield_size: null, size: 4, ...changes })
const struct = (...members: MemberDefinition[]): TypeDefinition => ({ type_id: 1, kind: 'struct', name: 's', size: 64, members })
const rows = (compiled: TypeDefinition | undefined, kernel: TypeDefinition | undefined) =>
  compareMembers(compiled, kernel).map(({ name, marks }) => [name, ...marks])

describe('a type beside the one that the program was compiled with', () => {
  it('marks what is missing, has moved, or has another size or type, in the order of the kernel', () => {
    const compiled = struct(
      member(
        'same', 'int', 0
      ), member('state', 'long', 64, { size: 8 }), member('pid', 'int', 128), member('flags', 'int', 160), member('id', 'u32', 192)
    )
    const kernel = struct(
      member(
        'same', 'int', 0
      ), member('new', 'int', 32), member('pid', 'int', 256), member('flags', 'long', 160, { size: 8 }), member('id', 'int', 192)
    )
    expect(rows(compiled, kernel)).toEqual([
      ['same'], ['state', 'missing'], ['new', 'added'], ['pid', 'moved'], ['flags', 'resized', 'retyped'], ['id', 'retyped']
    ])
  })

  it('counts members of nameless structs as those of the type', () => {
    const inner = { size: 8, members: [member('a', 'int', 32), member(null, 'union {...}', 64, { members: [member('b', 'int', 64)] })] }
    expect(rows(struct(member('b', 'int', 64)), struct(member(null, 'struct {...}', 32, inner)))).toEqual([['a', 'added'], ['b']])
  })

  it('tells a bitfield from what has its size', () => {
    const bitfield = member('b', 'unsigned int', 3, { bitfield_size: 1 })
    expect(rows(struct(bitfield), struct(bitfield))).toEqual([['b']])
    expect(rows(struct(bitfield), struct(member('b', 'unsigned int', 3)))).toEqual([['b', 'resized']])
  })

  it('takes an integer for the same however a compiler spells it', () => {
    const pairs = [
      ['unsigned long', 'long unsigned int'], ['long long', 'long long int'], ['unsigned int', 'unsigned'], ['short', 'short int'],
      [
        'const unsigned char *', 'const unsigned char *'
      ], ['unsigned long[4]', 'long unsigned int[4]'], ['volatile long', 'volatile long int']
    ]
    for (const [clang = '', gcc = ''] of pairs) expect(rows(struct(member('a', clang, 0)), struct(member('a', gcc, 0)))).toEqual([['a']])
    for (const other of ['long', 'unsigned int', 'unsigned long *', 'struct long_name']) {
      expect(rows(struct(member('a', 'unsigned long', 0)), struct(member('a', other, 0))), other).toEqual([['a', 'retyped']])
    }
    expect(rows(struct(member('a', 'signed char', 0)), struct(member('a', 'char', 0)))).toEqual([['a', 'retyped']])
  })

  it('is everything missing, or everything new, where one of them is not there', () => {
    expect(rows(struct(member('a', 'int', 0)), undefined)).toEqual([['a', 'missing']])
    expect(rows(undefined, struct(member('a', 'int', 0)))).toEqual([['a', 'added']])
  })

  it('marks enumerators by their values', () => {
    const of = (...enumerators: Array<[string, string]>): TypeDefinition =>
      ({ type_id: 1, kind: 'enum', name: 'e', size: 4, enumerators: enumerators.map(([name, value]) => ({ name, value })) })
    expect(compareEnumerators(of(['A', '0'], ['B', '1'], ['GONE', '2']), of(['A', '0'], ['NEW', '1'], ['B', '2'])).map(({ name, marks }) =>
      [name, ...marks]))
      .toEqual([['A'], ['NEW', 'added'], ['B', 'changed'], ['GONE', 'missing']])
  })
})

describe('what a record of relocation names', () => {
  it('is a type, by its own name and by the one that the kernel has', () => {
    expect(parseNamedType('struct task_struct___new')).toEqual({ kind: 'struct', name: 'task_struct___new', essential: 'task_struct' })
    expect(parseNamedType('enum ___odd')).toEqual({ kind: 'enum', name: '___odd', essential: '___odd' })
    for (const text of ['int', 'struct', 'struct (anon)', 'struct a b']) expect(parseNamedType(text)).toBeUndefined()
  })

  it('has a first member, past arrays and further members', () => {
    expect(['task_struct.pid', 'task_struct.comm[0]', 'request.q.id', 'task_struct', ''].map(memberOf)).toEqual([
      'pid', 'comm', 'q', undefined, undefined
    ])
  })
})

import { describe, expect, it } from 'vitest'
import { diffTypes } from '../../../src/c-types/diff.js'
import { findTypes, type TypeName } from '../../../src/c-types/named-types.js'
import { defineTypes } from '../../../src/c-types/type-definition.js'
import { parseBtf } from '../../../src/index.js'
import type { MemberDifference, TypeDefinition, TypeDifference } from '../../../src/wire/types.js'
import { at, btf, integers, type Member } from '../../support/btf-builder.js'
import { shapes, TASKS } from '../../support/task-btfs.js'

const definitionsIn = (bytes: Uint8Array, wanted: TypeName) => {
  const parsed = parseBtf(bytes)
  return defineTypes(parsed, findTypes(parsed, wanted), wanted.kind)
}
const diff = (from: Uint8Array, to: Uint8Array, wanted: TypeName): TypeDifference[] =>
  diffTypes(definitionsIn(from, wanted), definitionsIn(to, wanted))
const shown = ({ changes, from, to }: MemberDifference): string =>
  `${[...new Set([from?.path, to?.path])].filter(path => path !== undefined).join(' -> ')}: ${changes.join(' ')}`

/** A struct of those members, which are as large as an int each. */
function structOf (...names: readonly string[]): Uint8Array {
  const b = btf()
  const { int } = integers(b)
  b.struct('foo', 4 * names.length, names.map((name, i): Member => at(name, 4 * i, int)))
  return b.bytes()
}
const changesOf = (from: Uint8Array, to: Uint8Array): string[] =>
  diff(from, to, { kind: 'struct', name: 'foo' })[0]?.members?.filter(({ changes }) => changes.length > 0).map(shown) ?? []

describe('a type of two kernels', () => {
  it('is told member by member: what was added, removed, moved, resized, retyped and renamed', () => {
    const [shape, ...others] = diff(shapes(false), shapes(true), { kind: 'struct', name: 'shape' })
    expect(others).toEqual([])
    expect(shape).toMatchObject({ change: 'changed', from: { size: 72 }, to: { size: 88 } })
    expect(shape?.members?.map(shown)).toEqual([
      'same: ', 'added: added', 'first: moved', 'second: moved', 'gone: removed', 'retyped: retyped', 'hidden -> __hidden: renamed',
      'name: resized retyped', 'flags: moved resized', 'map_sem -> map_lock: renamed moved'
    ])
    expect(shape?.members?.[8]).toEqual({
      changes: ['moved', 'resized'],
      from: { path: 'flags', type: 'unsigned int', bit_offset: 448, bit_size: 2, is_bitfield: true },
      to: { path: 'flags', type: 'unsigned int', bit_offset: 576, bit_size: 3, is_bitfield: true }
    })
  })

  it('may be an enumeration, a typedef, or only in one of them', () => {
    expect(diff(shapes(false), shapes(true), { kind: 'enum', name: 'color' })[0]?.enumerators).toEqual([
      { name: 'RED', change: 'same', from: '0', to: '0' },
      { name: 'BLUE', change: 'same', from: '2', to: '2' },
      { name: 'GREEN', change: 'changed', from: '1', to: '3' }
    ])
    expect(diff(shapes(false), shapes(true), { kind: 'typedef', name: 'shape_t' }))
      .toMatchObject([{ change: 'changed', from: { size: 4, type: 'int' }, to: { size: 8, type: 'long long' } }])
    expect(diff(shapes(false), shapes(true), { kind: 'struct', name: 'only_new' }))
      .toMatchObject([{ change: 'added', from: null, to: { size: 4 }, members: [{ changes: ['added'], from: null }] }])
    expect(diff(shapes(true), shapes(false), { kind: 'struct', name: 'only_new' })).toMatchObject([{ change: 'removed', to: null }])
    expect(diff(shapes(true), shapes(true), { kind: 'struct', name: 'shape' })).toMatchObject([{ change: 'same' }])
    expect(diff(shapes(true), shapes(true), { kind: 'struct', name: 'nobody' })).toEqual([])
  })

  it('is one where a kernel has it twice alike', () => {
    const b = btf()
    const { int } = integers(b)
    for (let i = 0; i < 2; i++) b.struct('foo', 8, [at('a', 0, int), at('b', 4, int)])
    const foo: TypeName = { kind: 'struct', name: 'foo' }
    expect(definitionsIn(b.bytes(), foo)).toHaveLength(2)
    expect(diff(b.bytes(), structOf('a', 'b'), foo).map(({ change }) => change)).toEqual(['same'])
    expect(diff(structOf('a', 'b', 'c'), b.bytes(), foo).map(({ change }) => change)).toEqual(['changed'])
  })

  it('counts as renamed only what surely is', () => {
    expect(changesOf(structOf('a', 'state', 'z'), structOf('a', '__state', 'z'))).toEqual(['state -> __state: renamed'])
    expect(changesOf(structOf('a', 'old_count', 'z'), structOf('a', 'new_count', 'z'))).toEqual(['old_count -> new_count: renamed'])
    expect(changesOf(structOf('a', 'unused', 'z'), structOf('a', 'flags', 'z'))).toEqual(['unused: removed', 'flags: added'].toReversed())
    expect(changesOf(structOf('state', 'a', 'z'), structOf('a', 'z', '__state'))).toEqual([
      'state: removed', 'a: moved', 'z: moved', '__state: added'
    ])
    expect(changesOf(structOf('a', 'state', 'z'), structOf('a', '_state', '__state', 'z'))).toEqual([
      '_state: added', '__state: added', 'state: removed', 'z: moved'
    ])
    expect(changesOf(structOf('a', '_state', '__state', 'z'), structOf('a', 'state', 'z'))).toEqual([
      '_state -> state: renamed', '__state: removed', 'z: moved'
    ])
    const [task] = diff(TASKS.moved().bytes(), TASKS.renamed().bytes(), { kind: 'struct', name: 'task_struct' })
    expect(task?.members?.map(shown)).toEqual(['thread_info: ', 'state -> __state: renamed resized retyped', 'pid: '])
  })

  it('is compared although it has many thousand members, all of which are renamed', () => {
    const MANY = 20_000
    const typeOf = (prefix: string): TypeDefinition => ({
      type_id: 1,
      kind: 'struct',
      name: 'large',
      size: 4 * MANY,
      members: Array.from({ length: MANY }, (_, i) =>
        ({ name: `${prefix}member_${i}`, type: 'int', bit_offset: 32 * i, bitfield_size: null, size: 4 }))
    })
    const [large] = diffTypes([typeOf('')], [typeOf('__')])
    expect(new Set(large?.members?.map(({ changes }) => changes.join()))).toEqual(new Set(['renamed']))
    expect(large?.members?.every(({ from, to }) => to?.path === `__${from?.path}`)).toBe(true)
    expect(large?.members?.length).toBe(MANY)
  })

  it('stands beside the one that is most like it where a kernel has several of the name', () => {
    const both = (isSwapped: boolean): Uint8Array => {
      const b = btf()
      const { int } = integers(b)
      const small = (): number => b.struct('twice', 4, [at('a', 0, int)])
      const large = (): number => b.struct('twice', 8, [at('x', 0, int), at('y', 4, int)])
      for (const add of isSwapped ? [large, small] : [small, large]) add()
      return b.bytes()
    }
    expect(diff(both(false), both(true), { kind: 'struct', name: 'twice' }).map(({ change, from, to }) => [change, from?.size, to?.size]))
      .toEqual([['same', 8, 8], ['same', 4, 4]])
  })
})

import { describe, expect, it } from 'vitest'
import { findPlaces, type Places } from '../../../src/c-types/places.js'
import { parseBtf } from '../../../src/index.js'
import type { NamedKind } from '../../../src/wire/types.js'
import { at, bitsAt, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { shapes, TASKS } from '../../support/task-btfs.js'

const find = (bytes: Uint8Array, name: string, member: string | null, kind: NamedKind = 'struct'): Places =>
  findPlaces(parseBtf(bytes), { kind, name }, member)
const told = ({ state, places }: Places): readonly string[] =>
  places.length === 0
    ? [state]
    : places.map(({ found, path, type, bit_offset: offset, bit_size: size }) => `${found} ${path}: ${type} at ${offset}, ${size}`)

function built (add: (b: BtfBuilder, types: ReturnType<typeof integers>) => void): Uint8Array {
  const b = btf()
  add(b, integers(b))
  return b.bytes()
}

describe('a member', () => {
  it('is found by its name, in nameless structs and by its whole path too', () => {
    expect(told(find(TASKS.old().bytes(), 'task_struct', 'state'))).toEqual(['named state: volatile long int at 128, 64'])
    expect(told(find(TASKS.moved().bytes(), 'task_struct', 'thread_info.cpu'))).toEqual(['named thread_info.cpu: unsigned int at 96, 32'])
    expect(told(find(shapes(true), 'shape', 'second'))).toEqual(['named second: int at 96, 32'])
    expect(find(shapes(true), 'shape', 'flags').places).toEqual([
      { path: 'flags', type: 'unsigned int', bit_offset: 576, bit_size: 3, is_bitfield: true, found: 'named', value: null }
    ])
  })

  it('is found by what the history of the kernel calls it, behind a pointer too', () => {
    expect(told(find(TASKS.renamed().bytes(), 'task_struct', 'state'))).toEqual(['renamed __state: unsigned int at 192, 32'])
    expect(told(find(TASKS.old().bytes(), 'task_struct', '__state'))).toEqual(['renamed state: volatile long int at 128, 64'])
    expect(told(find(TASKS.moved().bytes(), 'task_struct', 'cpu'))).toEqual(['renamed thread_info.cpu: unsigned int at 96, 32'])
    const bio = built((b, { int }) => {
      const disk = b.struct('gendisk', 4, [at('major', 0, int)])
      const device = b.struct('block_device', 8, [at('bd_disk', 0, b.ptr(disk))])
      b.struct('bio', 16, [at('bi_next', 0, int), at('bi_bdev', 8, b.ptr(device))])
    })
    expect(told(find(bio, 'bio', 'bi_disk'))).toEqual(['renamed bi_bdev->bd_disk: struct gendisk * at null, 64'])
  })

  it('is found within an embedded struct, and by a name that is nearly the same, as the guess that it is', () => {
    const moved = built((b, { int }) => {
      const inner = b.struct('inner', 8, [at('a', 0, int), at('wanted', 4, int)])
      b.struct('outer', 16, [at('x', 0, int), at('in', 8, inner)])
    })
    expect(told(find(moved, 'outer', 'wanted'))).toEqual(['moved in.wanted: int at 96, 32'])
    const inode = (...names: readonly string[]): Uint8Array => built((b, { llong }) => {
      b.struct('inode', 8 * names.length, names.map((name, i) => at(name, 8 * i, llong)))
    })
    expect(told(find(inode('i_mode', '__i_atime'), 'inode', 'i_atime'))).toEqual(['similar __i_atime: long long at 64, 64'])
    expect(told(find(inode('i_mode', 'i_atime_sec', 'i_atime_nsec'), 'inode', 'i_atime')))
      .toEqual(['similar i_atime_sec: long long at 64, 64', 'similar i_atime_nsec: long long at 128, 64'])
    expect(told(find(inode('i_mode', 'i_mtime'), 'inode', 'i_atime'))).toEqual(['missing'])
    expect(told(find(inode('i_mode'), 'inode', 'i_atime.tv_sec'))).toEqual(['missing'])
  })

  it('is not guessed in a type of more members than are listed, but still found by its name', () => {
    const large = (parts: number): Uint8Array => built((b, { int }) => {
      const part = b.struct('', 40_000, Array.from({ length: 10_000 }, (_, i) => at('filler', 4 * i, int)))
      b.struct('large', 40_000 * parts +
        4, [...Array.from({ length: parts }, (_, i) => at('', 40_000 * i, part)), at('__last', 40_000 * parts, int)])
    })
    expect(told(find(large(9), 'large', 'last'))).toEqual(['similar __last: int at 2880000, 32'])
    expect(told(find(large(11), 'large', 'last'))).toEqual(['missing'])
    expect(told(find(large(11), 'large', '__last'))).toEqual(['named __last: int at 3520000, 32'])
  })

  it('may be an enumerator, and the type itself may be asked for', () => {
    expect(find(shapes(true), 'color', 'GREEN', 'enum').places).toMatchObject([{ path: 'GREEN', value: '3', found: 'named' }])
    expect(told(find(shapes(true), 'color', 'BLACK', 'enum'))).toEqual(['missing'])
    expect(told(find(shapes(true), 'shape', null))).toEqual(['named : struct shape at 0, 704'])
    expect(told(find(shapes(true), 'shape_t', null, 'typedef'))).toEqual(['named : long long at 0, 64'])
    expect(told(find(shapes(true), 'shape', null, 'union'))).toEqual(['type_missing'])
  })

  it('has a place for each type of the name that has it, and the surest of them count', () => {
    const twice = built((b, { int, llong }) => {
      b.struct('twice', 8, [at('a', 0, int), at('b', 4, int)])
      b.struct('twice', 16, [at('x', 0, llong), at('b', 8, int)])
      b.struct('twice', 8, [at('__b', 0, llong)])
      b.struct('twice', 8, [at('c', 0, int), at('b', 4, int)])
    })
    expect(told(find(twice, 'twice', 'b'))).toEqual(['named b: int at 32, 32', 'named b: int at 64, 32'])
  })

  it('is written without what no layout has, so that kernels of one layout have one answer', () => {
    const tagged = (tag: string, parameter: string): Uint8Array => built((b, { int, uint }) => {
      const pointer = b.ptr(b.typeTag(tag, b.struct('list', 4, [bitsAt('a', 0, 3, uint)])))
      b.struct('foo', 16, [at('next', 0, pointer), at('call', 8, b.ptr(b.funcProto(int, [[parameter, int]])))])
    })
    for (const member of ['next', 'call']) {
      expect(find(tagged('rcu', 'a'), 'foo', member)).toEqual(find(tagged('percpu', 'b'), 'foo', member))
    }
    expect(told(find(tagged('rcu', 'a'), 'foo', 'next'))).toEqual(['named next: struct list * at 0, 64'])
    expect(told(find(tagged('rcu', 'a'), 'foo', 'call'))).toEqual(['named call: int (*)(int) at 64, 64'])
  })
})

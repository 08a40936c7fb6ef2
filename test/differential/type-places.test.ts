import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { placesOf } from '../../src/c-types/diff.js'
import { findTypes } from '../../src/c-types/named-types.js'
import { findPlaces } from '../../src/c-types/places.js'
import { defineTypes } from '../../src/c-types/type-definition.js'
import { parseBtf, type Btf } from '../../src/index.js'
import type { TypeDefinition } from '../../src/wire/types.js'
import { describeLab, labBtfs, NEEDS, PATHS } from '../support/lab.js'

/** Members that moved or were renamed in the life of these kernels. */
const MOVED = [
  { type: 'task_struct', asked: 'state', names: ['state', '__state'] }, // 5.14
  { type: 'task_struct', asked: '__state', names: ['state', '__state'] },
  { type: 'task_struct', asked: 'pid', names: ['pid'] },
  { type: 'inode', asked: 'i_atime', names: ['i_atime', '__i_atime', 'i_atime_sec'] }, // 6.7, 6.11
  { type: 'request', asked: 'rq_disk', names: ['rq_disk', 'part'] }, // 5.17: a pointer leads there
  { type: 'bio', asked: 'bi_disk', names: ['bi_disk', 'bi_bdev'] } // 5.12: the same
] as const
const COMPARED = ['task_struct', 'inode', 'request', 'bio', 'sk_buff', 'file', 'sock', 'mm_struct', 'sched_entity']

describeLab('places of members', [NEEDS.tool('pahole')], () => {
  it.each(labBtfs().map(({ name, path }) =>
    [name, path] as const))('in %s are those that pahole prints, and members are found where they went', (_, path) => {
    const btf = parseBtf(readFileSync(path))
    const theirs = readByPahole(path)
    for (const name of COMPARED) {
      const definition = definitionOf(btf, name)
      if (definition === undefined) continue // pahole prints one of several
      const ours = placesOf(definition.members ?? []).map(({ path, bit_offset: offset, is_bitfield: isBitfield }) =>
        `${path.split('.').at(-1)} ${isBitfield ? 'bits' : (offset ?? 0) / 8}`)
      expect(ours.length).toBeGreaterThan(10)
      expect(ours.toSorted(), name).toEqual(theirs.get(name)?.toSorted())
    }

    for (const { type, asked, names } of MOVED) {
      const offsets = offsetsOf(theirs.get(type))
      const there = names.find(name => offsets.has(name)) ?? ''
      const { state, places } = findPlaces(btf, { kind: 'struct', name: type }, asked)
      const place = places.find(({ path }) => path.split('->')[0] === there)
      expect([state, place?.path], `${type}.${asked}`).toEqual(['present', expect.any(String)])
      expect(place?.bit_offset, `${type}.${asked}`).toBe(place?.path === there ? 8 * (offsets.get(there) ?? 0) : null)
    }

    const [task, entity] = ['task_struct', 'sched_entity'].map(name => offsetsOf(theirs.get(name)))
    const bits = 8 * ((task?.get('se') ?? NaN) + (entity?.get('vruntime') ?? NaN))
    const find = (member: string) => findPlaces(btf, { kind: 'struct', name: 'task_struct' }, member).places
    expect(find('se.vruntime')).toMatchObject([{ path: 'se.vruntime', bit_offset: bits, found: 'named' }])
    expect(find('vruntime')).toMatchObject([{ path: 'se.vruntime', bit_offset: bits, found: 'moved' }])
  })
})

function definitionOf (btf: Btf, name: string): TypeDefinition | undefined {
  const [definition, ...others] = defineTypes(btf, findTypes(btf, { kind: 'struct', name }), 'struct')
  return others.length > 0 ? undefined : definition
}

/** By the struct's name each member with its place in bytes, those of structs without a tag in it too. */
function readByPahole (path: string): ReadonlyMap<string, readonly string[]> {
  const { stdout } = spawnSync(
    'pahole', ['-C', COMPARED.join(','), '-F', 'btf', path], { env: PATHS, encoding: 'utf8', maxBuffer: 1 << 26 }
  )
  return new Map([...stdout.matchAll(/^struct (\w+) \{\n([^]*?)^\}/gm)].map(([, name = '', body = '']) => [name, membersIn(body)]))
}

function membersIn (body: string): string[] {
  return [
    ...body.matchAll(/^\t+(.*?) *(?:__attribute__\(\(.*\)\))?; +\/\* +(\d+)(:[\d ]+)? +\d+ \*\/$/gm)
  ].flatMap(([, declaration = '', bytes = '', bits]) => {
    const member = /\(\*+(\w+)(?:\[\d*\])*\)\(/.exec(declaration)?.[1] ?? /(\w+)(?:\[\d*\])*(?::\d+)?$/.exec(declaration)?.[1]
    return member === undefined ? [] : [`${member} ${bits === undefined ? bytes : 'bits'}`]
  })
}

/** The same by the names of the members. */
function offsetsOf (members: readonly string[] = []): ReadonlyMap<string, number> {
  return new Map(members.map(line => line.split(' ')).map(([member = '', bytes]) => [member, Number(bytes)]))
}

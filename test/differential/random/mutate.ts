import type { Random } from './random.js'
import { addEnum, bitfieldWidth, enumValue, hasSize, type Pool } from './local-types.js'
import {
  isComposite, isEnum, isInteger, isModifier, layOut, nameOf, strip, type Composite, type Enum, type Member, type Type
} from './types.js'

/**
 * A kernel for these types: a copy of them in which some things are elsewhere, changed, gone, doubled or new.
 *
 * @param interesting what relocations are about; changes happen there more often
 */
export function makeTarget (r: Random, local: Pool, interesting: readonly Type[]): Type[] {
  const { types, roots } = structuredClone({ types: local.types, roots: interesting })
  const pool = poolOf(types)
  for (const type of types) if (r.chance(0.8) && 'name' in type) type.name = type.name.replace(/___[^_]\w*$/, '')
  if (r.chance(0.15)) shrinkLongs(types)

  const changes = r.chance(0.1) ? 0 : 1 + r.nat(8)
  for (let i = 0; i < changes; i++) {
    const type = r.chance(0.7) && roots.length > 0 ? r.pick(roots) : r.pick(types)
    change(r, pool, reach(r, type))
  }
  for (const root of roots) {
    if (nameOf(root) !== '' && r.chance(0.12)) duplicate(r, pool, root)
  }
  if (r.chance(0.02)) deepen(r, pool, roots)
  return r.chance(0.3) ? r.shuffled(types) : types
}

/**
 * The same kernel with one thing elsewhere, changed, gone, doubled or new; now and then with its types in another order.
 *
 * @param isInteresting tells the types, by their names, of which most changes are
 */
export function changeOnce (r: Random, kernel: readonly Type[], isInteresting: (name: string) => boolean): Type[] {
  const types = structuredClone([...kernel])
  const pool = poolOf(types)
  const interesting = types.filter(type => isInteresting(nameOf(type)))
  const type = interesting.length > 0 && r.chance(0.8) ? r.pick(interesting) : r.pick(types)
  if (r.chance(0.1) && nameOf(type) !== '') duplicate(r, pool, type)
  else change(r, pool, reach(r, type))
  return r.chance(0.15) ? r.shuffled(types) : types
}

function poolOf (types: Type[]): Pool {
  let rank = Math.max(...types.map(type => type.rank))
  return {
    types,
    ints: types.filter(type => type.kind === 'int'),
    nextRank: () => ++rank,
    add: type => {
      types.push(type)
      return type
    }
  }
}

/** From a type to one that it is made of, some steps on: so that inner types change too. */
function reach (r: Random, type: Type): Type {
  let current = type
  while (r.chance(0.4)) {
    const next = isComposite(current) && current.members.length > 0
      ? r.pick(current.members).type
      : isModifier(current) || current.kind === 'ptr' ? current.to : current.kind === 'array' ? current.of : undefined
    if (next === undefined) break
    current = next
  }
  return current
}

function change (r: Random, pool: Pool, type: Type): void {
  switch (type.kind) {
    case 'struct': case 'union': changeComposite(r, pool, type); break
    case 'enum': case 'enum64': changeEnum(r, pool, type); break
    case 'int':
      if (r.chance(0.8)) Object.assign(type, { size: r.pick([1, 2, 4, 8]), encoding: r.pick([type.encoding, 0, 1, 2, 4, 3]) })
      else type.offset = type.offset === 0 ? 1 : 0
      break
    case 'array': if (r.chance(0.5)) type.count = r.pick([0, 1, 2, type.count + 1, type.count * 2]); else {
      type.of = lower(r, pool, type, type.of)
    } break
    case 'ptr': type.to = otherPointee(r, pool, type.to); break
    case 'fwd': if (r.chance(0.5)) type.union = !type.union; else type.name += '2'; break
    case 'proto':
      if (r.chance(0.5)) type.params = type.params.slice(1)
      else if (r.chance(0.5)) type.params.push(r.pick(pool.ints))
      else type.result = r.pick(pool.ints)
      break
    case 'float': type.size = r.pick([4, 8]); break
    case 'typedef': case 'const': case 'volatile': case 'restrict': case 'type_tag':
      if (type.kind === 'typedef' && r.chance(0.2)) type.name += r.pick(['2', '___k', '___k___l'])
      else if (r.chance(0.1)) type.to = undefined
      else type.to = lower(r, pool, type, type.to)
      break
    default: break
  }
}

/** What a pointer points to elsewhere: nothing known, something else, or the same struct declared only. */
function otherPointee (r: Random, pool: Pool, pointee: Type | undefined): Type | undefined {
  const bare = strip(pointee)
  if (isComposite(bare) && r.chance(0.6)) {
    return pool.add({ kind: 'fwd', name: bare.name, union: (bare.kind === 'union') !== r.chance(0.2), rank: pool.nextRank() })
  }
  return r.chance(0.7) ? r.pick(pool.types.filter(isPointee)) : undefined
}

function isPointee (type: Type): boolean { return !['func', 'var', 'datasec', 'decl_tag'].includes(type.kind) }

/** Another type that `holder` may hold by value. Often one around the type that it holds already. */
function lower (r: Random, pool: Pool, holder: Type, held: Type | undefined): Type {
  if (held !== undefined && r.chance(0.5)) {
    const kind = r.pick(['const', 'volatile', 'typedef', 'type_tag', 'restrict'] as const)
    return pool.add({
      kind, name: kind === 'typedef' ? 'alias' : kind === 'type_tag' ? 'rcu' : '', to: held, rank: (held.rank + holder.rank) / 2
    })
  }
  const others = pool.types.filter(type => type.rank < holder.rank && hasSize(type))
  return others.length > 0 ? r.pick(others) : r.pick(pool.ints)
}

function changeComposite (r: Random, pool: Pool, type: Composite): void {
  const { members } = type
  const member = members.length > 0 ? r.pick(members) : undefined
  if (member === undefined) {
    members.push({ name: 'a', type: lower(r, pool, type, undefined), bits: 0, bitfield: 0 })
    return layOut(type)
  }
  switch (r.weighted({
    insert: 4,
    remove: 2,
    rename: 2,
    retype: 4,
    move: 4,
    shuffle: 2,
    bitfield: 2,
    nest: 3,
    flatten: 1,
    kind: 1,
    name: 1,
    double: 1,
    array: 2,
    odd: 3,
    empty: 1,
    shadow: 1,
    forward: 2
  })) {
    case 'insert': members.splice(
      r.nat(members.length + 1), 0, { name: `new${r.nat(9)}`, type: lower(r, pool, type, undefined), bits: 0, bitfield: 0 }
    ); break
    case 'remove': members.splice(members.indexOf(member), 1); break
    case 'rename': member.name = r.pick(['z', `${member.name}___old`, `${member.name}_`, '']); break
    case 'retype': retype(member, lower(r, pool, type, member.type)); break
    case 'shuffle': type.members = r.shuffled(members); break
    case 'bitfield':
      if (member.bitfield > 0) member.bitfield = r.chance(0.5) ? 0 : bitfieldWidth(r, strip(member.type))
      else member.bitfield = bitfieldWidth(r, strip(member.type))
      break
    case 'nest': nest(r, pool, type, member); break
    case 'flatten': {
      const inner = strip(member.type)
      if (isComposite(inner) && member.name === '') members.splice(members.indexOf(member), 1, ...inner.members.map(copy => ({ ...copy })))
      break
    }
    case 'kind': type.kind = type.kind === 'struct' ? 'union' : 'struct'; break
    case 'name': type.name = type.name === '' ? 'named' : r.pick(['', `${type.name}2`, `${type.name}___k`]); break
    case 'double': members.splice(
      r.nat(members.length + 1), 0, { ...member, type: r.chance(0.5) ? member.type : lower(r, pool, type, undefined), bitfield: 0 }
    ); break
    case 'array': {
      const of = r.chance(0.5) ? member.type : r.pick(pool.ints)
      const wrapper = pool.add({ kind: 'array', of, count: r.pick([0, 1, 2, 5]), rank: (of.rank + type.rank) / 2 })
      retype(member, of.rank < type.rank ? wrapper : member.type)
      break
    }
    // Offsets as no compiler makes them. Not relaid, so that they stay.
    case 'odd': member.bits = member.bitfield > 0 ? r.nat(128) : r.pick([r.nat(2000), r.nat(100) * 8, 32_767 * 8, 32_768 * 8]); return
    case 'empty': type.members = []; break
    case 'shadow': shadow(r, pool, type, member); break
    case 'forward':
      for (const { type: held } of members) {
        const pointer = strip(held)
        if (pointer?.kind === 'ptr' && r.chance(0.5)) pointer.to = otherPointee(r, pool, pointer.to)
      }
      break
    case 'move': break
  }
  layOut(type, () => r.chance(0.3) ? r.pick([1, 2, 4, 8, 16, 40]) : 0, () => r.chance(0.1))
}

function retype (member: Member, type: Type): void {
  member.type = type
  const bare = strip(type)
  if (!isInteger(bare)) member.bitfield = 0
  else member.bitfield = Math.min(member.bitfield, bare.size * 8)
}

/** Moves a member, and perhaps its neighbours, into an anonymous struct or union, or into one with a name. */
function nest (r: Random, pool: Pool, type: Composite, first: Member): void {
  const at = type.members.indexOf(first)
  const moved = type.members.splice(at, 1 + r.nat(3))
  if (r.chance(0.3)) moved.unshift({ name: `pad${r.nat(9)}`, type: r.pick(pool.ints), bits: 0, bitfield: 0 })
  const rank = (Math.max(...moved.map(member => member.type.rank)) + type.rank) / 2
  const inner = pool.add({
    kind: r.chance(0.6) ? 'struct' as const : 'union' as const,
    name: r.chance(0.7) ? '' : 'group',
    size: 0,
    members: moved,
    kindFlag: false,
    rank
  })
  layOut(inner, () => r.chance(0.2) ? 4 : 0)
  const held = r.chance(0.15)
    ? pool.add({ kind: 'typedef' as const, name: 'group_t', to: inner, rank: (inner.rank + type.rank) / 2 })
    : inner
  type.members.splice(at, 0, { name: r.chance(0.8) ? '' : 'inner', type: held, bits: 0, bitfield: 0 })
}

/**
 * Puts an anonymous struct with a member of the same name, but of a type that does not fit, before a member. C forbids it; libbpf stumbles.
 */
function shadow (r: Random, pool: Pool, type: Composite, member: Member): void {
  const rank = type.rank / 2 + Math.max(...pool.ints.map(int => int.rank)) / 2
  const unfit = strip(member.type)?.kind === 'ptr' ? r.pick(pool.ints) : pool.add({ kind: 'ptr' as const, to: undefined, rank })
  const members = [{ name: 'pad', type: r.pick(pool.ints), bits: 0, bitfield: 0 }, { name: member.name, type: unfit, bits: 0, bitfield: 0 }]
  const inner = pool.add({ kind: 'struct' as const, name: '', size: 0, members, kindFlag: false, rank })
  layOut(inner)
  type.members.splice(type.members.indexOf(member), 0, { name: '', type: inner, bits: 0, bitfield: 0 })
}

function changeEnum (r: Random, pool: Pool, type: Enum): void {
  const value = type.values.length > 0 ? r.pick(type.values) : undefined
  switch (r.weighted({ value: 4, remove: 2, rename: 2, add: 2, kind: 2, size: 1, sign: 1, name: 3 })) {
    case 'value': if (value !== undefined) value.value = enumValue(r, type.kind); break
    case 'remove': type.values = type.values.filter(other => other !== value); break
    case 'rename': if (value !== undefined) {
      value.name = r.pick([`${value.name}___k`, `${value.name}2`, value.name.replace(/___.*/, '')])
    } break
    case 'add': type.values.splice(
      r.nat(type.values.length + 1), 0, { name: r.pick(['NEW', 'RED', 'GREEN___k']), value: enumValue(r, type.kind) }
    ); break
    case 'kind': type.kind = type.kind === 'enum' ? 'enum64' : 'enum'; break
    case 'size': type.size = r.pick([1, 2, 4, 8]); break
    case 'sign': type.signed = !type.signed; break
    case 'name': type.name = r.pick(['', `${type.name}2`, `${type.name}___k`]); break
  }
  if (r.chance(0.05)) addEnum(r, pool, 'enum', type.name)
}

/** A second type of the same name, or of a flavor of it, the same or a little different. */
function duplicate (r: Random, pool: Pool, root: Type): void {
  const copy = pool.add(structuredCopy(root, pool))
  if ('name' in copy && r.chance(0.5)) copy.name = `${copy.name.replace(/___[^_]\w*$/, '')}___dup`
  for (let i = r.nat(3); i > 0; i--) change(r, pool, copy)
}

/** The type alone is copied; what it refers to is shared. */
function structuredCopy (type: Type, pool: Pool): Type {
  const rank = pool.nextRank()
  if (isComposite(type)) return { ...type, members: type.members.map(member => ({ ...member })), rank }
  if (isEnum(type)) return { ...type, values: type.values.map(value => ({ ...value })), rank }
  return { ...type, rank }
}

/** About as many anonymous structs around the members as libbpf goes down into: it gives up at 64 accesses. */
function deepen (r: Random, pool: Pool, roots: readonly Type[]): void {
  const root = roots.map(strip).find(isComposite)
  if (root === undefined || root.members.length === 0) return
  const levels = 60 + r.nat(7)
  let held: Composite = pool.add({ kind: 'struct', name: '', size: 0, members: root.members, kindFlag: false, rank: lowestAbove(root) })
  layOut(held)
  for (let i = 0; i < levels; i++) {
    held = pool.add({
      kind: 'struct',
      name: '',
      size: held.size,
      members: [{ name: '', type: held, bits: 0, bitfield: 0 }],
      kindFlag: false,
      rank: (held.rank + root.rank) / 2
    })
  }
  root.members = [{ name: '', type: held, bits: 0, bitfield: 0 }]
  layOut(root)
}

function lowestAbove (type: Composite): number {
  return (Math.max(0, ...type.members.map(member => member.type.rank)) + type.rank) / 2
}

/** A 32-bit kernel: `long` has four bytes, and so have pointers. */
function shrinkLongs (types: Type[]): void {
  types.unshift({ kind: 'int', name: 'long unsigned int', size: 4, encoding: 0, offset: 0, rank: 0 })
}

import type { Random } from './random.js'
import { isComposite, isInteger, layOut, strip, type Composite, type Enum, type Int, type Member, type Type } from './types.js'

/** Types under construction: a list in which every type has been put before it is used by value. */
export interface Pool {
  readonly types: Type[]
  readonly ints: Int[]
  readonly add: <T extends Type>(type: T) => T
  readonly nextRank: () => number
}

const MEMBER_NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p']
const ENUMERATORS = ['RED', 'GREEN', 'BLUE', 'GREEN___v2', 'BLUE___old', 'CYAN', 'RED_', 'BROWN____x']
const TYPE_NAMES = ['task', 'file', 'sock', 'page', 'inode', 'net', 'dev', 'mm', 'cred', 'ns']
/** What can stand behind a name. Not all of it is a flavor. */
const SUFFIXES = ['___v2', '___old', '___a___b', '____no', '___', '___x_', '__two']

/** What a program declares of its kernel, made up: ints, structs of all sorts, enums, typedefs, function pointers. */
export function makeLocalTypes (r: Random): Pool {
  const pool = newPool()
  addInts(pool)
  if (r.chance(0.5)) pool.add({ kind: 'float', name: 'double', size: 8, rank: pool.nextRank() })
  const count = 2 + r.nat(5)
  for (let i = 0; i < count; i++) {
    const name = (TYPE_NAMES[i] ?? 'more') + (r.chance(0.2) ? r.pick(SUFFIXES) : '')
    addNamed(r, pool, name)
  }
  if (r.chance(0.15)) addDeepChain(r, pool)
  if (r.chance(0.3)) addOthers(r, pool)
  return pool
}

function newPool (): Pool {
  const types: Type[] = []
  let rank = 0
  return {
    types,
    ints: [],
    nextRank: () => ++rank,
    add: type => {
      types.push(type)
      return type
    }
  }
}

function addInts (pool: Pool): void {
  const int = (name: string, size: number, encoding = 0, offset = 0) => {
    pool.ints.push(pool.add({ kind: 'int', name, size, encoding, offset, rank: pool.nextRank() }))
  }
  int('int', 4, 1)
  int('unsigned int', 4)
  int('char', 1, 1)
  int('unsigned char', 1)
  int('short', 2, 1)
  int('unsigned short', 2)
  int('long long', 8, 1)
  int('unsigned long long', 8)
  int('_Bool', 1, 4)
  int('signed char', 1, 3)
  int('__int128', 16, 1)
  int('old bitfield', 4, 0, 3)
}

function addNamed (r: Random, pool: Pool, name: string): void {
  const rank = pool.nextRank
  switch (r.weighted({ struct: 8, union: 2, enum: 2, enum64: 1, typedef: 3, callback: 1, table: 1, fwd: 1 })) {
    case 'struct': addComposite(r, pool, 'struct', name, 0); break
    case 'union': addComposite(r, pool, 'union', name, 0); break
    case 'enum': addEnum(r, pool, 'enum', name); break
    case 'enum64': addEnum(r, pool, 'enum64', name); break
    case 'fwd': pool.add({ kind: 'fwd', name, union: r.chance(0.3), rank: rank() }); break
    case 'typedef': {
      const to = r.chance(0.05) ? undefined : makeType(r, pool, 0)
      pool.add({ kind: 'typedef', name: `${name}_t`, to, rank: rank() })
      break
    }
    case 'callback': {
      const proto = addProto(r, pool)
      const pointer = pool.add({ kind: 'ptr', to: proto, rank: rank() })
      pool.add({ kind: 'typedef', name: `${name}_fn`, to: r.chance(0.8) ? pointer : proto, rank: rank() })
      break
    }
    case 'table': {
      const of = makeType(r, pool, 1)
      const row = pool.add({ kind: 'array', of, count: 1 + r.nat(5), rank: rank() })
      const all = r.chance(0.4) ? pool.add({ kind: 'array', of: row, count: 1 + r.nat(4), rank: rank() }) : row
      pool.add({ kind: 'typedef', name: `${name}_table`, to: all, rank: rank() })
      break
    }
  }
}

function addProto (r: Random, pool: Pool) {
  const params = Array.from({ length: r.nat(4) }, () => r.chance(0.6) ? r.pick(pool.types) : makeType(r, pool, 1))
  const result = r.chance(0.3) ? undefined : r.pick(pool.types)
  return pool.add({
    kind: 'proto' as const, result: orInt(pool, result), params: params.map(param => orInt(pool, param)), rank: pool.nextRank()
  })
}

/** Prototypes have no parameters that are functions, sections or the like. */
function orInt (pool: Pool, type: Type | undefined): Type | undefined {
  return type?.kind === 'func' || type?.kind === 'var' || type?.kind === 'datasec' || type?.kind === 'decl_tag' ? pool.ints[0] : type
}

export function addEnum (r: Random, pool: Pool, kind: 'enum' | 'enum64', name: string): Enum {
  const values = r.shuffled(ENUMERATORS).slice(0, 1 + r.nat(4)).map(enumerator => ({ name: enumerator, value: enumValue(r, kind) }))
  return pool.add({
    kind, name, size: kind === 'enum64' ? 8 : r.chance(0.85) ? 4 : r.pick([1, 2, 8]), signed: r.chance(0.3), values, rank: pool.nextRank()
  })
}

export function enumValue (r: Random, kind: 'enum' | 'enum64'): bigint {
  if (kind === 'enum64' && r.chance(0.5)) {
    return r.pick([0x1_0000_0000n, -2n, 0x7fff_ffff_ffff_ffffn, 0x1_ffff_ffffn, 0xffff_ffff_ffff_fff0n])
  }
  return r.chance(0.15) ? r.pick([-1n, -77777n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn]) : BigInt(r.nat(100))
}

function addComposite (r: Random, pool: Pool, kind: 'struct' | 'union', name: string, depth: number, names = r.shuffled(
  MEMBER_NAMES
)): Composite {
  const members: Member[] = []
  const count = r.chance(0.05) ? 0 : 1 + r.nat(depth === 0 ? 6 : 3)
  for (let i = 0; i < count && names.length > 0; i++) {
    if (depth < 3 && r.chance(0.15)) {
      // Names are taken from the outer list, since an anonymous member's names are the outer type's too.
      const inner = addComposite(r, pool, r.chance(0.5) ? 'struct' : 'union', '', depth + 1, names)
      const type = r.chance(0.1) ? pool.add({ kind: 'const', name: '', to: inner, rank: pool.nextRank() }) : inner
      members.push({ name: '', type, bits: 0, bitfield: 0 })
      continue
    }
    const type = makeType(r, pool, depth)
    const width = isInteger(strip(type)) && r.chance(0.2) ? bitfieldWidth(r, strip(type)) : 0
    members.push({ name: width > 0 && r.chance(0.05) ? '' : names.pop() ?? '', type, bits: 0, bitfield: width })
  }
  if (kind === 'struct' && r.chance(0.25)) {
    const tail = pool.add({ kind: 'array', of: makeType(r, pool, 2), count: 0, rank: pool.nextRank() })
    members.push({ name: names.pop() ?? 'tail', type: tail, bits: 0, bitfield: 0 })
  }
  const type = pool.add({ kind, name, size: 0, members, kindFlag: r.chance(0.1), rank: pool.nextRank() })
  layOut(type, () => r.chance(0.02) ? 40_000 : 0, () => r.chance(0.1))
  return type
}

export function bitfieldWidth (r: Random, type: Type | undefined): number {
  return isInteger(type) ? 1 + r.nat(Math.min(64, type.size * 8)) : 0
}

/** A type for a member, an element or a typedef: one that is there, or a new one around those that are. */
function makeType (r: Random, pool: Pool, depth: number): Type {
  const rank = pool.nextRank
  const known = pool.types.filter(hasSize)
  switch (r.weighted({ int: 10, known: 4, ptr: 4, array: 4, modifier: 3, typedef: 2, enum: 2, composite: depth < 2 ? 2 : 0 })) {
    case 'int': return r.pick(pool.ints.slice(0, r.chance(0.95) ? 10 : undefined))
    case 'known': return r.pick(known)
    case 'ptr': {
      const structs = pool.types.filter(type => isComposite(type) && type.name !== '')
      const to = structs.length > 0 && r.chance(0.4) ? r.pick(structs) : orInt(pool, r.pick(pool.types))
      return pool.add({ kind: 'ptr', to: r.chance(0.2) ? undefined : to, rank: rank() })
    }
    case 'array': {
      const of = makeType(r, pool, depth + 1)
      const count = r.chance(0.9) ? 1 + r.nat(6) : r.pick([0, 0, 300, 0xffff_ffff])
      return pool.add({ kind: 'array', of, count, rank: rank() })
    }
    case 'modifier': {
      const to = makeType(r, pool, depth + 1)
      const kind = r.pick(['const', 'volatile', 'restrict', 'type_tag'] as const)
      return pool.add({ kind, name: kind === 'type_tag' ? 'user' : '', to, rank: rank() })
    }
    case 'typedef': {
      const to = makeType(r, pool, depth + 1)
      return pool.add({ kind: 'typedef', name: `u${r.nat(4)}`, to, rank: rank() })
    }
    case 'enum': return addEnum(r, pool, r.chance(0.7) ? 'enum' : 'enum64', r.chance(0.3) ? '' : 'mode')
    case 'composite': return addComposite(
      r, pool, r.chance(0.7) ? 'struct' : 'union', r.chance(0.5) ? '' : r.pick(['list', 'lock', 'list___v2']), depth + 1
    )
  }
}

/** Whether C would allow a member of this type. */
export function hasSize (type: Type): boolean {
  const bare = strip(type)
  switch (bare?.kind) {
    case 'int': case 'float': case 'ptr': case 'struct': case 'union': case 'enum': case 'enum64': return true
    case 'array': return hasSize(bare.of)
    default: return false
  }
}

/** About as many links as libbpf follows: it gives up at 32. */
function addDeepChain (r: Random, pool: Pool): void {
  const kind = r.pick(['ptr', 'typedef', 'const', 'array'] as const)
  let type: Type = r.pick(pool.types.filter(hasSize))
  const links = 29 + r.nat(6)
  for (let i = 0; i < links; i++) {
    const rank = pool.nextRank()
    if (kind === 'ptr') type = pool.add({ kind, to: type, rank })
    else if (kind === 'array') type = pool.add({ kind, of: type, count: 1, rank })
    else type = pool.add({ kind, name: kind === 'typedef' ? `link${i}` : '', to: type, rank })
  }
  const name = 'deep'
  if (r.chance(0.5)) pool.add({ kind: 'typedef', name, to: type, rank: pool.nextRank() })
  else {
    layOut(pool.add({
      kind: 'struct', name, size: 0, members: [{ name: 'a', type, bits: 0, bitfield: 0 }], kindFlag: false, rank: pool.nextRank()
    }))
  }
}

function addOthers (r: Random, pool: Pool): void {
  const proto = addProto(r, pool)
  pool.add({ kind: 'func', name: 'helper', to: proto, rank: pool.nextRank() })
  const variable = pool.add({ kind: 'var', name: 'jiffies', to: r.pick(pool.ints), rank: pool.nextRank() })
  pool.add({ kind: 'datasec', name: '.data', to: variable, rank: pool.nextRank() })
  const tagged = pool.types.find(isComposite)
  if (tagged !== undefined) pool.add({ kind: 'decl_tag', name: 'tag', to: tagged, rank: pool.nextRank() })
}

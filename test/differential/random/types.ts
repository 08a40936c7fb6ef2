import { btf, type BtfBuilder } from '../../support/btf-builder.js'

/**
 * BTF types as a graph, easy to copy (structuredClone) and to change.
 *
 * `rank` keeps the graph finite: what a type holds by value, and what a modifier or typedef is of, has a lower rank. Pointers
 * and function prototypes may lead anywhere. libbpf does not come back from a cycle of the former.
 */
export type Type = Int | Float | Pointer | ArrayType | Composite | Enum | Forward | Modifier | Proto | Other

interface Ranked { readonly rank: number }
export interface Int extends Ranked { kind: 'int', name: string, size: number, encoding: number, offset: number }
export interface Float extends Ranked { kind: 'float', name: string, size: number }
export interface Pointer extends Ranked { kind: 'ptr', to: Type | undefined }
export interface ArrayType extends Ranked { kind: 'array', of: Type, count: number }
export interface Composite extends Ranked { kind: 'struct' | 'union', name: string, size: number, members: Member[], kindFlag: boolean }
export interface Enum extends Ranked {
  kind: 'enum' | 'enum64',
  name: string,
  size: number,
  signed: boolean,
  values: Array<{
    name: string
    value: bigint
  }>
}
export interface Forward extends Ranked { kind: 'fwd', name: string, union: boolean }
export interface Modifier extends Ranked {
  kind: 'typedef' | 'const' | 'volatile' | 'restrict' | 'type_tag'
  name: string
  to: Type | undefined
}
export interface Proto extends Ranked { kind: 'proto', result: Type | undefined, params: Array<Type | undefined> }
/** Kinds that only stand between the others: they count as ids. */
export interface Other extends Ranked { kind: 'func' | 'var' | 'datasec' | 'decl_tag', name: string, to: Type }

export interface Member { name: string, type: Type, bits: number, bitfield: number }

export function isComposite (type: Type | undefined): type is Composite { return type?.kind === 'struct' || type?.kind === 'union' }
export function isEnum (type: Type | undefined): type is Enum { return type?.kind === 'enum' || type?.kind === 'enum64' }
export function isModifier (type: Type | undefined): type is Modifier {
  return type?.kind === 'typedef' || type?.kind === 'const' || type?.kind === 'volatile' || type?.kind === 'restrict' ||
    type?.kind === 'type_tag'
}

/** Whether a bitfield can be of this type: libbpf divides by its size, and misreads one of another kind. */
export function isInteger (type: Type | undefined): type is Int | Enum { return type?.kind === 'int' || isEnum(type) }

export function nameOf (type: Type): string { return 'name' in type ? type.name : '' }

export function strip (type: Type | undefined): Type | undefined {
  let current = type
  while (isModifier(current)) current = current.to
  return current
}

/** Bytes, as a compiler for 64 bits lays types out; 0 for what has no size. */
export function sizeOf (type: Type | undefined): number {
  const bare = strip(type)
  switch (bare?.kind) {
    case 'int': case 'float': case 'enum': case 'enum64': case 'struct': case 'union': return bare.size
    case 'ptr': return 8
    case 'array': return Math.min(bare.count * sizeOf(bare.of), 1 << 20)
    default: return 0
  }
}

/** The type that a load of an element reads: arrays of arrays count as one array. */
export function elementOf (type: Type | undefined): Type | undefined {
  let current = strip(type)
  while (current?.kind === 'array') current = strip(current.of)
  return current
}

/** Writes the types in this order, so that the first has id 1, and an int behind them. */
export function emit (types: readonly Type[]): { readonly builder: BtfBuilder, readonly idOf: (type: Type | undefined) => number } {
  const builder = btf()
  const ids = new Map(types.map((type, i) => [type, i + 1]))
  const idOf = (type: Type | undefined): number => {
    const id = type === undefined ? 0 : ids.get(type)
    if (id === undefined) throw new Error(`a type that is used (${type?.kind}) is not in the list`)
    return id
  }
  const anyInt = types.findIndex(({ kind }) => kind === 'int') + 1
  for (const type of types) emitOne(builder, type, idOf, anyInt)
  // libbpf before 1.3 took the signedness of a pointer from the bytes behind its type; they are to be those of a type.
  builder.int('pad', 4)
  return { builder, idOf }
}

function emitOne (builder: BtfBuilder, type: Type, idOf: (type: Type | undefined) => number, index: number): void {
  switch (type.kind) {
    case 'int': builder.int(type.name, type.size, { encoding: type.encoding, offset: type.offset }); break
    case 'float': builder.float(type.name, type.size); break
    case 'ptr': builder.ptr(idOf(type.to)); break
    case 'array': builder.array(idOf(type.of), type.count, index); break
    case 'struct': case 'union': {
      const members = type.members.map(({ name, type: of, bits, bitfield }) =>
        ({ name, type: idOf(of), bits, ...(bitfield > 0 ? { bitfield } : {}) }))
      const kindFlag = type.kindFlag || members.some(({ bitfield }) => bitfield !== undefined)
      builder[type.kind](type.name, type.size, members, kindFlag)
      break
    }
    case 'enum': case 'enum64':
      builder[type.kind](type.name, type.values.map(({ name, value }) => [name, value] as const), { size: type.size, signed: type.signed })
      break
    case 'fwd': builder.fwd(type.name, type.union ? 'union' : 'struct'); break
    case 'typedef': builder.typedef(type.name, idOf(type.to)); break
    case 'type_tag': builder.typeTag(type.name, idOf(type.to)); break
    case 'const': case 'volatile': case 'restrict': builder[type.kind](idOf(type.to)); break
    case 'proto': builder.funcProto(
      idOf(type.result), type.params.map((param, i) => [param === undefined ? '' : `p${i}`, idOf(param)] as const)
    ); break
    case 'func': builder.func(type.name, idOf(type.to)); break
    case 'var': builder.var(type.name, idOf(type.to), 0); break
    case 'datasec': builder.datasec(type.name, 4, [[idOf(type.to), 0, 4]]); break
    case 'decl_tag': builder.declTag(type.name, idOf(type.to)); break
  }
}

/** Gives members natural offsets, as C does, and the type its size. `gap` adds bytes before a member; `packs` lets a bitfield straddle. */
export function layOut (type: Composite, gap: () => number = () => 0, packs: () => boolean = () => false): void {
  let at = 0
  let end = 0
  for (const member of type.members) {
    if (type.kind === 'union') at = 0
    else at += gap() * 8
    const unit = Math.max(1, sizeOf(member.type)) * 8
    if (member.bitfield > 0) {
      if (Math.floor(at / unit) !== Math.floor((at + member.bitfield - 1) / unit) && !packs()) at = roundUp(at, unit)
      member.bits = at
      at += member.bitfield
    } else {
      at = roundUp(at, 8 * Math.min(8, alignmentOf(member.type)))
      member.bits = at
      at += sizeOf(member.type) * 8
    }
    end = Math.max(end, at)
  }
  type.size = roundUp(Math.ceil(end / 8), Math.max(1, ...type.members.map(({ type: of }) => alignmentOf(of))))
}

function alignmentOf (type: Type): number {
  const bare = elementOf(type)
  if (isComposite(bare)) return Math.max(1, ...bare.members.map(({ type: of }) => alignmentOf(of)))
  return [8, 4, 2].find(size => sizeOf(bare) % size === 0 && sizeOf(bare) > 0) ?? 1
}

function roundUp (value: number, to: number): number { return Math.ceil(value / to) * to }

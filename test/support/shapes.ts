import fc from 'fast-check'
import { assembler } from './asm.js'
import { bitsAt, btf, type BtfBuilder, type Member } from './btf-builder.js'
import type { ByteOrder } from './byte-writer.js'
import type { ReloName } from './object-builder.js'
import type { Step } from './scenario.js'

/** The form of a type, without the places of its members, which differ from kernel to kernel. */
export type Shape =
  | { readonly kind: 'int', readonly size: 1 | 2 | 4 | 8, readonly signed: boolean }
  | { readonly kind: 'pointer' | 'float' | 'enum' }
  | { readonly kind: 'qualified', readonly of: Shape }
  | { readonly kind: 'array', readonly of: Shape, readonly count: number }
  | { readonly kind: 'composite', readonly union: boolean, readonly named: boolean, readonly members: readonly ShapeMember[] }

export interface ShapeMember {
  readonly shape: Shape
  readonly anonymous: boolean
  /** Width of a bitfield, where the shape is an int. */
  readonly bitfield: number | undefined
  /** Byte offset in the object and in the kernel. */
  readonly places: readonly [local: number, target: number]
}

export type Side = 0 | 1

const leaf: fc.Arbitrary<Shape> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('int' as const), size: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const), signed: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('pointer' as const, 'float' as const, 'enum' as const) }) }
)

/** A multiple of 8, so that no bitfield inside crosses the 8 bytes that one load covers. */
const place = fc.nat(60).map(words => words * 8)

export const composite: fc.Arbitrary<Shape & { kind: 'composite' }> = fc.letrec<{
  shape: Shape
  composite: Shape & { kind: 'composite' }
}>(tie => ({
  shape: fc.oneof({ maxDepth: 4, depthIdentifier: 'shape' },
    leaf,
    fc.record({ kind: fc.constant('qualified' as const), of: tie('shape') }, { noNullPrototype: true }),
    fc.record({ kind: fc.constant('array' as const), of: tie('shape'), count: fc.integer({ min: 1, max: 5 }) }, { noNullPrototype: true }),
    tie('composite')
  ),
  composite: fc.record({
    kind: fc.constant('composite' as const),
    union: fc.boolean(),
    named: fc.boolean(),
    members: fc.array(fc.record({
      shape: tie('shape'),
      anonymous: fc.boolean(),
      bitfield: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
      places: fc.tuple(place, place)
    }, { noNullPrototype: true }), { minLength: 1, maxLength: 4, depthIdentifier: 'shape' })
  }, { noNullPrototype: true })
})).composite

/** A type as it is in one BTF: its id there, and the model of its layout. */
interface Laid {
  readonly id: number
  readonly size: number
  readonly element?: Laid
  readonly count?: number
  readonly members?: readonly LaidMember[]
  readonly signed: boolean
  readonly numeric: boolean
}

interface LaidMember {
  readonly name: string
  readonly bits: number
  readonly bitfield: number | undefined
  readonly type: Laid
}

/** Writes `shape` as struct `root` into a BTF of its own, with the member places of one side. */
export function lay (shape: Shape & { kind: 'composite' }, side: Side, byteOrder: ByteOrder): { b: BtfBuilder, root: Laid } {
  const b = btf({ byteOrder })
  let names = 0
  const layShape = (part: Shape, name: string): Laid => {
    switch (part.kind) {
      case 'int':
        return {
          id: b.int(`${part.signed ? 's' : 'u'}${part.size * 8}`, part.size, { signed: part.signed }),
          size: part.size,
          signed: part.signed,
          numeric: true
        }
      case 'pointer':
        return { id: b.ptr(0), size: 8, signed: false, numeric: false }
      case 'float':
        return { id: b.float('double', 8), size: 8, signed: false, numeric: false }
      case 'enum':
        return { id: b.enum('color', [['RED', 1]]), size: 4, signed: false, numeric: false }
      case 'qualified': {
        const inner = layShape(part.of, '')
        return { ...inner, id: b.const(b.typedef(`alias${names++}`, b.volatile(inner.id))) }
      }
      case 'array': {
        const element = layShape(part.of, '')
        return {
          id: b.array(element.id, part.count), size: element.size * part.count, element, count: part.count, signed: false, numeric: false
        }
      }
      case 'composite': {
        const members: LaidMember[] = part.members.map(member => {
          const type = layShape(member.shape, member.shape.kind === 'composite' && member.shape.named ? `type${names++}` : '')
          const isComposite = type.members !== undefined
          const bitfield = member.bitfield !== undefined && type.numeric ? Math.min(member.bitfield, type.size * 8) : undefined
          const bits = member.places[side] * 8
          return { name: member.anonymous && isComposite ? '' : `m${names++}`, bits, bitfield, type }
        })
        const written: Member[] = members.map(({ name: memberName, bits, bitfield, type }) =>
          bitfield === undefined ? { name: memberName, type: type.id, bits } : bitsAt(memberName, bits, bitfield, type.id))
        const size = 512 + 8 * part.members.length
        const id = part.union ? b.union(name, size, written) : b.struct(name, size, written)
        return { id, size, members, signed: false, numeric: false }
      }
    }
  }
  return { b, root: layShape(shape, 'root') }
}

export interface ModelStep {
  readonly kind: ReloName
  readonly access: string
  readonly values: readonly [local: number, target: number]
}

const FIELD_KINDS = ['byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64'] as const

/**
 * A walk into both layouts, steered by `choices`, and what a relocation of `kind` along it must give on either side.
 * Undefined where that kind is not defined there.
 */
export function walk (
  roots: readonly [Laid, Laid], byteOrder: ByteOrder, choices: readonly number[], which: number
): ModelStep | undefined {
  const kind = FIELD_KINDS[which % FIELD_KINDS.length] ?? 'byte_off'
  const first = (choices[0] ?? 0) % 3
  const path = [first]
  let sides = roots
  let bits: readonly [number, number] = [first * roots[0].size * 8, first * roots[1].size * 8]
  let member: readonly [LaidMember, LaidMember] | undefined
  for (const choice of choices.slice(1)) {
    const [local, target] = sides
    if (local.members !== undefined && target.members !== undefined) {
      const index = choice % local.members.length
      const l = local.members[index]
      const t = target.members[index]
      if (l === undefined || t === undefined) return undefined
      path.push(index)
      bits = [bits[0] + l.bits, bits[1] + t.bits]
      member = l.name === '' ? undefined : [l, t]
      sides = [l.type, t.type]
      // A path that ends on an anonymous member says nothing about it; libbpf goes no further than the member before.
      if (l.name === '' && choice === choices.at(-1)) return undefined
    } else if (local.element !== undefined && target.element !== undefined && local.count !== undefined) {
      const index = choice % local.count
      path.push(index)
      bits = [bits[0] + index * local.element.size * 8, bits[1] + index * target.element.size * 8]
      member = undefined
      sides = [local.element, target.element]
    } else {
      break
    }
  }
  const value = (side: Side): number | undefined => {
    const laid = sides[side]
    const bitfield = member?.[side].bitfield
    const width = bitfield ?? laid.size * 8
    switch (kind) {
      case 'byte_off': return bits[side] / 8
      case 'byte_sz': return laid.size
      case 'field_exists': return 1
      case 'signed': return member === undefined ? undefined : Number(laid.signed)
      case 'rshift_u64': return member === undefined || width > 64 ? undefined : 64 - width
      case 'lshift_u64':
        if (member === undefined || width > 64) return undefined
        return byteOrder === 'little' ? 64 - width : 64 - laid.size * 8
    }
  }
  const local = value(0)
  const target = value(1)
  return local === undefined || target === undefined ? undefined : { kind, access: path.join(':'), values: [local, target] }
}

/** A step whose instruction holds the local value. */
export function toStep (type: number, step: ModelStep, byteOrder: ByteOrder): Step {
  return { kind: step.kind, type, access: step.access, insn: assembler(byteOrder).mov(1, step.values[0]) }
}

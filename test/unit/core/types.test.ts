import { describe, expect, it } from 'vitest'
import { assembler } from '../../support/asm.js'
import { at, bitsAt, btf, integers, type BtfBuilder, type Member, type Param } from '../../support/btf-builder.js'
import { outcome, refusal, relocateSteps } from '../../support/scenario.js'

type Ints = ReturnType<typeof integers>
type TypeOf = (b: BtfBuilder, ints: Ints) => number

function build (type: TypeOf) {
  const b = btf()
  return { b, id: type(b, integers(b)) }
}

const exists = (local: TypeOf, target: TypeOf) => {
  const l = build(local)
  return outcome(l.b, build(target).b, { kind: 'type_exists', type: l.id, was: 1 })
}

const matches = (local: TypeOf, target: TypeOf) => {
  const l = build(local)
  return outcome(l.b, build(target).b, { kind: 'type_matches', type: l.id, was: 1 })
}

const alias = (of: TypeOf): TypeOf => (b, ints) => b.typedef('t', of(b, ints))
const int: TypeOf = (_, ints) => ints.int
const pointerTo = (of: TypeOf): TypeOf => (b, ints) => b.ptr(of(b, ints))
const arrayOf = (of: TypeOf, count: number): TypeOf => (b, ints) => b.array(of(b, ints), count)
const structOf = (members: (b: BtfBuilder, ints: Ints) => Member[], name = 's'): TypeOf => (b, ints) => b.struct(name, 64, members(b, ints))
const unionOf = (members: (b: BtfBuilder, ints: Ints) => Member[], name = 's'): TypeOf => (b, ints) => b.union(name, 64, members(b, ints))
const proto = (result: TypeOf, ...params: TypeOf[]): TypeOf => (b, ints) =>
  b.funcProto(result(b, ints), params.map((param, i): Param => [`p${i}`, param(b, ints)]))
const nothing: TypeOf = () => 0
const repeat = (times: number, wrap: (of: TypeOf) => TypeOf, of: TypeOf): TypeOf => times === 0 ? of : wrap(repeat(times - 1, wrap, of))

const YES = 'resolved 1'
const NO = 'absent'

describe('edge 56: type sizes', () => {
  const size = (local: TypeOf, target: TypeOf, was: number) => {
    const l = build(local)
    return outcome(l.b, build(target).b, { kind: 'type_size', type: l.id, was })
  }

  it.each([
    ['a struct', structOf(() => []), (b: BtfBuilder) => b.struct('s', 100), 64, 'resolved 100'],
    ['a typedef', alias(int), alias((_, { llong }) => llong), 4, 'resolved 8'],
    ['a typedef of a pointer', alias(pointerTo(int)), alias(pointerTo(int)), 8, 'resolved 8'],
    ['a typedef of an array', alias(arrayOf(int, 4)), alias(arrayOf(int, 7)), 16, 'resolved 28'],
    ['an int by name', int, int, 4, 'resolved 4'],
    ['a missing type', structOf(() => []), structOf(() => [], 'other'), 64, NO],
    ['an incompatible type', structOf(() => []), unionOf(() => []), 64, NO]
  ] as const)('%s', (_, local, target, was, expected) => {
    expect(size(local, target, was)).toBe(expected)
  })

  it.each([
    ['a typedef of void', alias(nothing)],
    ['a forward declaration', (b: BtfBuilder) => b.fwd('f')],
    ['a typedef of a function prototype', alias(proto(nothing))]
  ])('refuses %s in the object, even when the kernel has nothing of that name', (_, local) => {
    expect(size(local, local, 0)).toBe('failed EINVAL')
    expect(size(local, structOf(() => [], 'other'), 0)).toBe('failed EINVAL')
  })

  it('uses the pointer size of the kernel', () => {
    const target = btf()
    target.int('long', 4)
    target.typedef('t', target.ptr(0))
    const l = build(alias(pointerTo(nothing)))
    expect(outcome(l.b, target, { kind: 'type_size', type: l.id, was: 8 })).toBe('resolved 4')
  })
})

describe('edge 57: type ids of the kernel', () => {
  const targetId = (local: TypeOf, target: BtfBuilder, modules: BtfBuilder[] = []) => {
    const l = build(local)
    return outcome(l.b, target, { kind: 'target_type_id', type: l.id, was: 12345 }, modules)
  }

  it('is the id of the candidate, typedefs not stripped', () => {
    const target = btf()
    const { int: targetInt } = integers(target)
    const first = target.typedef('other', targetInt)
    const id = target.typedef('t', first)
    expect(targetId(alias(int), target)).toBe(`resolved ${id}`)
  })

  it('is 0 when the type is missing, whatever the instruction held', () => {
    expect(targetId(structOf(() => []), btf())).toBe(NO)
  })

  it('is ambiguous when two compatible types have the name', () => {
    const target = btf()
    target.struct('s', 4)
    target.struct('s', 4)
    expect(targetId(structOf(() => []), target)).toBe('failed EINVAL')
  })

  it('is unambiguous when only one of two is compatible', () => {
    const target = btf()
    const { int: targetInt } = integers(target)
    target.typedef('t', target.ptr(targetInt))
    const id = target.typedef('t', targetInt)
    expect(targetId(alias(int), target)).toBe(`resolved ${id}`)
  })

  it('is an id of the split BTF for a type of a module', () => {
    const target = btf()
    integers(target)
    const module = btf({ base: target })
    const id = module.struct('s', 4)
    expect(id).toBeGreaterThan(9)
    expect(targetId(structOf(() => []), target, [module])).toBe(`resolved ${id}`)
  })
})

describe('edge 58: local type ids', () => {
  const asm = assembler('little')

  it.each([
    ['an anonymous struct', (b: BtfBuilder) => b.struct('', 4)],
    ['a pointer', (b: BtfBuilder) => b.ptr(0)],
    ['a function prototype', (b: BtfBuilder) => b.funcProto(0)],
    ['void', () => 0]
  ])('are written for %s without a search', (_, type) => {
    const l = build(type)
    expect(outcome(l.b, btf(), { kind: 'local_type_id', type: l.id, insn: asm.ldImm64(1, l.id) })).toBe(`resolved ${l.id}`)
  })

  it('replace an immediate that is wrong, as static linking leaves it', () => {
    const l = build(structOf(() => []))
    const { outcomes, record } = relocateSteps({
      local: l.b, target: btf(), steps: [{ kind: 'local_type_id', type: l.id, insn: asm.ldImm64(1, 4711) }]
    })
    expect(outcomes).toEqual([`resolved ${l.id}`])
    expect(record(0).oldValue).toBe(BigInt(l.id))
  })
})

describe('edge 59: type existence', () => {
  it.each([
    ['structs of one name, whatever is in them', structOf((_, i) => [at('a', 0, i.int)]), structOf(() => []), YES],
    ['a struct and a union of one name', structOf(() => []), unionOf(() => []), NO],
    ['unions', unionOf(() => []), unionOf(() => []), YES],
    ['a struct and a forward declaration', structOf(() => []), (b: BtfBuilder) => b.fwd('s'), NO],
    ['forward declarations', (b: BtfBuilder) => b.fwd('s'), (b: BtfBuilder) => b.fwd('s', 'union'), YES],
    ['ints', int, int, YES],
    ['enums of other values', (b: BtfBuilder) => b.enum('e', [['A', 1]]), (b: BtfBuilder) => b.enum('e', [['B', 2]]), YES],
    ['an enum and a 64-bit enum', (b: BtfBuilder) => b.enum('e', [['A', 1]]), (b: BtfBuilder) => b.enum64('e', [['B', 2]]), YES],
    ['typedefs of ints of other size', alias(int), alias((_, i) => i.ullong), YES],
    ['chains of typedefs', alias((b, i) => b.typedef('u', b.const(i.int))), alias(int), YES],
    ['a typedef of a struct and of a union', alias(structOf(() => [])), alias(unionOf(() => [])), NO],
    ['typedefs of structs of other names', alias(structOf(() => [], 'a')), alias(structOf(() => [], 'b')), YES],
    ['a typedef of an enum and of an int', alias(b => b.enum('e', [['A', 1]])), alias(int), NO],
    ['a typedef of an enum and of a 64-bit enum', alias(b => b.enum('e', [['A', 1]])), alias(b => b.enum64('e', [['A', 1]])), YES],
    ['typedefs of void', alias(nothing), alias(nothing), YES],
    ['a typedef of void and of int', alias(nothing), alias(int), NO],
    ['pointers', alias(pointerTo(int)), alias(pointerTo((_, i) => i.char)), YES],
    ['a pointer and a pointer to a pointer', alias(pointerTo(int)), alias(pointerTo(pointerTo(int))), NO],
    ['pointers to void and to int', alias(pointerTo(nothing)), alias(pointerTo(int)), NO],
    ['arrays of other lengths', alias(arrayOf(int, 2)), alias(arrayOf(int, 3)), YES],
    ['an array and a pointer', alias(arrayOf(int, 2)), alias(pointerTo(int)), NO],
    ['an integer with a bit offset', alias(b => b.int('odd', 4, { offset: 1 })), alias(int), NO],
    ['float', alias(b => b.float('float', 4)), alias(b => b.float('float', 4)), NO],
    ['double by its own name', (b: BtfBuilder) => b.float('double', 8), (b: BtfBuilder) => b.float('double', 8), NO],
    ['a pointer to double', alias(pointerTo(b => b.float('double', 8))), alias(pointerTo(b => b.float('double', 8))), NO],
    ['a function', (b: BtfBuilder) => b.func('f', b.funcProto(0)), (b: BtfBuilder) => b.func('f', b.funcProto(0)), NO],
    ['function pointers', alias(pointerTo(proto(int, int, pointerTo(int)))), alias(pointerTo(proto(int, int, pointerTo(int)))), YES],
    ['function pointers with another result', alias(pointerTo(proto(int))), alias(pointerTo(proto(pointerTo(int)))), NO],
    ['function pointers with void results', alias(pointerTo(proto(nothing, int))), alias(pointerTo(proto(nothing, int))), YES],
    ['function pointers with more parameters', alias(pointerTo(proto(int, int))), alias(pointerTo(proto(int, int, int))), NO],
    ['function pointers with another parameter', alias(pointerTo(proto(int, int))), alias(pointerTo(proto(int, pointerTo(int)))), NO],
    [
      'function pointers with parameters of other sizes', alias(pointerTo(proto(int, int))),
      alias(pointerTo(proto(int, (_, i) => i.uchar))), YES
    ]
  ] as const)('%s', (_, local, target, expected) => {
    expect(exists(local, target)).toBe(expected)
  })

  it('gives up on a pointer chain that takes more than 32 steps', () => {
    const chain = (depth: number) => alias(repeat(depth, pointerTo, int))
    expect(exists(chain(31), chain(31))).toBe(YES)
    expect(exists(chain(32), chain(32))).toBe('failed EINVAL')
    expect(exists(chain(33), chain(33))).toBe('failed EINVAL')
  })

  it('gives up on function parameters nested more than 32 deep', () => {
    const nest = (depth: number) => alias(repeat(depth, of => proto(nothing, of), int))
    expect(exists(nest(32), nest(32))).toBe(YES)
    expect(exists(nest(33), nest(33))).toBe('failed EINVAL')
  })
})

describe('edge 60: type matches', () => {
  const members = (...names: string[]) => structOf((_, i) => names.map((name, n) => at(name, n * 4, i.int)))

  it.each([
    ['the same struct', members('a', 'b'), members('a', 'b'), YES],
    ['extra members in the kernel', members('a'), members('x', 'a', 'y'), YES],
    ['a missing member', members('a', 'b'), members('a', 'c', 'd'), NO],
    ['fewer members in the kernel', members('a', 'b'), members('a'), NO],
    ['reordered members', members('a', 'b'), members('b', 'a'), YES],
    ['two local members for one in the kernel', members('a', 'a___2'), members('a', 'b'), YES],
    ['an empty struct', members(), members('a'), YES],
    ['a struct and a union', members('a'), unionOf((_, i) => [at('a', 0, i.int)]), NO],
    ['a member of another kind', members('a'), structOf(b => [at('a', 0, b.ptr(0))]), NO],
    ['a bitfield and a plain member', members('a'), structOf((_, i) => [bitsAt('a', 3, 2, i.int)]), YES],
    ['a later member of the same name', members('a'), structOf((b, i) => [at('a', 0, b.ptr(0)), at('a', 8, i.int)]), YES],
    ['an int spelled in another way', structOf((_, i) =>
      [at('a', 0, i.llong)]), structOf(b => [at('a', 0, b.int('long long int', 8, { signed: true }))]), NO],
    ['an int of another size', alias(b => b.int('n', 4)), alias(b => b.int('n', 8)), NO],
    ['an int of another sign', alias(b => b.int('n', 4)), alias(b => b.int('n', 4, { signed: true })), NO],
    ['an int that is a bool', alias(b => b.int('n', 1)), alias(b => b.int('n', 1, { encoding: 4 })), YES],
    ['typedefs of structs of other names', alias(structOf(() => [], 'a')), alias(structOf(() => [], 'b')), NO],
    ['typedefs of other depth', alias((b, i) => b.typedef('u', i.int)), alias(int), YES],
    ['floats', alias(b => b.float('float', 4)), alias(b => b.float('float', 4)), NO],
    ['void', alias(nothing), alias(nothing), YES],
    ['void and int', alias(nothing), alias(int), NO]
  ] as const)('%s', (_, local, target, expected) => {
    expect(matches(local, target)).toBe(expected)
  })

  describe('behind a pointer', () => {
    const holding = (of: TypeOf) => structOf((b, ints) => [at('p', 0, b.ptr(of(b, ints)))], 'holder')
    const struct = (name: string, size = 8): TypeOf => (b, ints) => b.struct(name, size, [at(`m${size}`, 0, ints.int)])
    const union = (name: string): TypeOf => b => b.union(name, 8)
    const fwd = (name: string, of: 'struct' | 'union' = 'struct'): TypeOf => b => b.fwd(name, of)

    it.each([
      ['structs of one name and other members', struct('x'), struct('x', 16), YES],
      ['structs of other names', struct('x'), struct('y'), NO],
      ['flavors', struct('x___wrong'), struct('x'), YES],
      ['a struct and a union', struct('x'), union('x'), NO],
      ['a struct and its forward declaration', struct('x'), fwd('x'), YES],
      ['a struct and the forward declaration of a union', struct('x'), fwd('x', 'union'), NO],
      ['a union and its forward declaration', union('x'), fwd('x', 'union'), YES],
      ['a union and the forward declaration of a struct', union('x'), fwd('x'), NO],
      ['a forward declaration and a struct', fwd('x'), struct('x'), YES],
      ['a forward declaration of a union and a struct', fwd('x', 'union'), struct('x'), NO],
      ['a forward declaration of a union and a union', fwd('x', 'union'), union('x'), YES],
      ['forward declarations', fwd('x'), fwd('x'), YES],
      ['forward declarations of a struct and of a union', fwd('x'), fwd('x', 'union'), NO],
      ['a forward declaration and an int of that name', fwd('x'), (b: BtfBuilder) => b.int('x', 4), NO],
      ['an int of another size', (b: BtfBuilder) => b.int('n', 4), (b: BtfBuilder) => b.int('n', 8), NO],
      ['an array of structs of other members', arrayOf(struct('x'), 2), arrayOf(struct('x', 16), 2), YES]
    ] as const)('%s', (_, local, target, expected) => {
      expect(matches(holding(local), holding(target))).toBe(expected)
    })

    it('not behind one, a forward declaration needs a forward declaration of the same kind', () => {
      expect(matches(alias(fwd('x')), alias(fwd('x')))).toBe(YES)
      expect(matches(alias(fwd('x')), alias(fwd('x', 'union')))).toBe(NO)
      expect(matches(alias(fwd('x')), alias(struct('x')))).toBe(NO)
      expect(matches(alias(struct('x')), alias(fwd('x')))).toBe(NO)
    })

    it('a struct may point to itself', () => {
      const self: TypeOf = b => {
        const pointer = b.nextId
        b.ptr(pointer + 1)
        return b.struct('s', 8, [at('next', 0, pointer)])
      }
      expect(matches(self, self)).toBe(YES)
    })
  })

  describe('enums', () => {
    const values = (...names: string[]): TypeOf => b => b.enum('e', names.map((name, i) => [name, i]))

    it.each([
      ['a subset with other values', values('A', 'B'), values('X', 'B', 'A'), YES],
      ['a missing value', values('A', 'B'), values('A', 'C'), NO],
      ['more values than the kernel has', values('A', 'B'), values('A'), NO],
      ['flavored values', values('A___x'), values('A'), YES],
      ['another size', values('A'), (b: BtfBuilder) => b.enum('e', [['A', 1]], { size: 1 }), NO],
      ['a 64-bit enum of 8 bytes', values('A'), (b: BtfBuilder) => b.enum64('e', [['A', 1]]), NO],
      ['a 64-bit enum of 4 bytes', values('A'), (b: BtfBuilder) => b.enum64('e', [['A', 1]], { size: 4 }), YES],
      ['another sign', values('A'), (b: BtfBuilder) => b.enum('e', [['A', 1]], { signed: true }), YES]
    ] as const)('%s', (_, local, target, expected) => {
      expect(matches(local, target)).toBe(expected)
    })
  })

  describe('arrays', () => {
    it.each([
      ['of one length', arrayOf(int, 3), arrayOf(int, 3), YES],
      ['of other lengths', arrayOf(int, 3), arrayOf(int, 4), NO],
      ['of other dimensions', arrayOf(arrayOf(int, 2), 3), arrayOf(int, 3), NO],
      ['of other elements', arrayOf(int, 3), arrayOf((_: BtfBuilder, i: Ints) => i.uint, 3), NO]
    ] as const)('%s', (_, local, target, expected) => {
      expect(matches(alias(local), alias(target))).toBe(expected)
    })
  })

  describe('functions', () => {
    const struct = (size: number): TypeOf => (b, ints) => b.struct('x', size, [at(`m${size}`, 0, ints.int)])

    it.each([
      ['the same', proto(int, int), proto(int, int), YES],
      ['more parameters', proto(int, int), proto(int, int, int), NO],
      ['another result', proto(int), proto(nothing), NO],
      ['another parameter', proto(int, int), proto(int, (_: BtfBuilder, i: Ints) => i.uint), NO],
      ['a struct parameter by pointer, with other members', proto(int, pointerTo(struct(8))), proto(int, pointerTo(struct(16))), YES],
      ['a struct parameter by value, with other members', proto(int, struct(8)), proto(int, struct(16)), NO]
    ] as const)('%s', (_, local, target, expected) => {
      expect(matches(alias(local), alias(target))).toBe(expected)
    })

    it('behind a pointer compare struct parameters by name only', () => {
      expect(matches(alias(pointerTo(proto(int, struct(8)))), alias(pointerTo(proto(int, struct(16)))))).toBe(YES)
    })

    it('nested in each other', () => {
      const nested = (inner: TypeOf): TypeOf => pointerTo(proto(pointerTo(proto(int, inner)), pointerTo(proto(nothing))))
      expect(matches(alias(nested(int)), alias(nested(int)))).toBe(YES)
      expect(matches(alias(nested(int)), alias(nested(pointerTo(int))))).toBe(NO)
    })
  })

  describe('anonymous members', () => {
    const inner = (...names: string[]): TypeOf => structOf((b, ints) => [
      at('a', 0, ints.int),
      at('', 8, b.struct('', 8, names.map((name, i) => at(name, i * 4, ints.int))))
    ])

    it('match anonymous members only', () => {
      expect(matches(inner('x'), inner('y', 'x'))).toBe(YES)
      expect(matches(inner('x'), inner('y'))).toBe(NO)
      expect(matches(inner('x'), members('a', 'x'))).toBe(NO)
      expect(matches(members('a', 'x'), inner('x'))).toBe(NO)
    })

    it('of an anonymous type do not match a named type, nor the reverse', () => {
      const holder = (name: string) => structOf((b, ints) => [at('m', 0, b.struct(name, 4, [at('x', 0, ints.int)]))])
      expect(matches(holder(''), holder(''))).toBe(YES)
      expect(matches(holder(''), holder('named'))).toBe(NO)
      expect(matches(holder('named'), holder(''))).toBe(NO)
    })
  })

  it('gives up on comparisons that multiply with every level', () => {
    const make = (last: string): TypeOf => (b, ints) => {
      let id = b.struct('s0', 4, [at(last, 0, ints.int)])
      for (let i = 1; i < 30; i++) id = b.struct(i === 29 ? 's' : `s${i}`, 8, [at('m___a', 0, id), at('m___b', 4, id)])
      return id
    }
    const local = build(make('here'))
    const error = refusal('relocation_failed', () =>
      outcome(local.b, build(make('gone')).b, { kind: 'type_matches', type: local.id, was: 1 }))
    expect(error.details['reason']).toBe('work_limit')
  })

  it('gives up on structs nested more than 32 deep', () => {
    const nest = (depth: number): TypeOf => (b, ints) => {
      let id = ints.int
      for (let i = 1; i < depth; i++) id = b.struct(`level${i}`, 4, [at('m', 0, id)])
      return b.struct('s', 4, [at('m', 0, id)])
    }
    expect(matches(nest(31), nest(31))).toBe(YES)
    expect(matches(nest(32), nest(32))).toBe('failed EINVAL')
    expect(matches(nest(33), nest(33))).toBe('failed EINVAL')
  })

  it('gives up on a pointer chain that takes more than 32 steps', () => {
    const chain = (depth: number) => alias(repeat(depth, pointerTo, int))
    expect(matches(chain(31), chain(31))).toBe(YES)
    expect(matches(chain(32), chain(32))).toBe('failed EINVAL')
  })
})

import { describe, expect, it } from 'vitest'
import { at, btf, integers, KIND, type BtfBuilder, type Member } from '../../support/btf-builder.js'
import { BYTE_ORDERS } from '../../support/byte-writer.js'
import { outcome } from '../../support/scenario.js'

type Ints = ReturnType<typeof integers>
type TypeOf = (b: BtfBuilder, ints: Ints) => number

/** A BTF with `struct s` around the members that `members` makes. */
function withMembers (members: (b: BtfBuilder, ints: Ints) => Member[], name = 's') {
  const b = btf()
  const ints = integers(b)
  const list = members(b, ints)
  return { b, id: b.struct(name, 64, list) }
}

/** Existence of member `f` when it has one type in the object and another in the kernel. */
function compatible (local: TypeOf, target: TypeOf): string {
  const l = withMembers((b, ints) => [at('f', 0, local(b, ints))])
  const t = withMembers((b, ints) => [at('f', 8, target(b, ints))])
  return outcome(l.b, t.b, { kind: 'field_exists', type: l.id, access: '0:0', was: 1 })
}

const localX = () => withMembers((_, { int }) => [at('x', 0, int)])

describe('edge 40: members that moved', () => {
  const offsetIn = (members: (b: BtfBuilder, ints: Ints) => Member[]) => {
    const local = localX()
    return outcome(local.b, withMembers(members).b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })
  }

  it('finds a member at another place', () => {
    expect(offsetIn((_, { int, llong }) => [at('new', 0, llong), at('x', 12, int)])).toBe('resolved 12')
  })

  it('finds a member inside an anonymous struct', () => {
    expect(offsetIn((b, { int }) => [at('', 8, b.struct('', 8, [at('pad', 0, int), at('x', 4, int)]))])).toBe('resolved 12')
  })

  it('finds a member inside five levels of anonymous unions and structs', () => {
    expect(offsetIn((b, { int }) => {
      let id = b.struct('', 8, [at('other', 0, int), at('x', 4, int)])
      for (let i = 0; i < 4; i++) id = i % 2 === 0 ? b.union('', 32, [at('', 0, id)]) : b.struct('', 32, [at('', 4, id)])
      return [at('', 16, id)]
    })).toBe('resolved 28')
  })

  it('looks through a qualified and renamed type of an anonymous member', () => {
    expect(offsetIn((b, { int }) =>
      [at('', 8, b.const(b.typedef('inner_t', b.struct('inner', 8, [at('x', 4, int)]))))])).toBe('resolved 12')
  })

  it('looks at an anonymous member that is no composite and goes on', () => {
    expect(offsetIn((_, { int, uint }) => [at('', 0, uint), at('x', 4, int)])).toBe('resolved 4')
  })

  it('does not look into named members', () => {
    expect(offsetIn((b, { int }) => [at('named', 0, b.struct('', 4, [at('x', 0, int)]))])).toBe('poisoned')
  })

  it('lets the first member of that name decide', () => {
    expect(offsetIn((b, { int }) => [at('x', 0, b.ptr(0)), at('x', 8, int)])).toBe('poisoned')
    expect(offsetIn((b, { int }) => [at('', 0, b.struct('', 4, [at('x', 4, int)])), at('x', 8, int)])).toBe('resolved 4')
  })

  it('follows a path of named members, each found by name', () => {
    const local = withMembers((b, { int }) => [at('a', 0, b.struct('a', 8, [at('b', 4, int)]))])
    const target = withMembers((b, { int }) =>
      [at('', 8, b.union('', 16, [at('a', 0, b.struct('another', 16, [at('c', 0, int), at('b', 12, int)]))]))])
    expect(outcome(local.b, target.b, { kind: 'byte_off', type: local.id, access: '0:0:0', was: 4 })).toBe('resolved 20')
  })
})

describe('edge 40: names that are empty without being offset 0', () => {
  /** `struct s` with one member whose name is an empty string in the middle of the string section. */
  const emptyName = (inner: boolean) => {
    const b = btf()
    const { int } = integers(b)
    const type = inner ? b.struct('', 8, [at('x', 4, int)]) : int
    return { b, id: b.raw({ name: 's', kind: KIND.STRUCT, vlen: 1, sizeOrType: 64, tail: [b.string('int') + 3, type, 64] }) }
  }

  it('are anonymous members in the kernel', () => {
    const local = localX()
    expect(outcome(local.b, emptyName(true).b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('resolved 12')
  })

  it('are refused in a local path', () => {
    const local = emptyName(true)
    expect(outcome(local.b, local.b, { kind: 'field_exists', type: local.id, access: '0:0:0', was: 1 })).toBe('failed EINVAL')
  })
})

describe('edge 41: types of members of the same name', () => {
  const int: TypeOf = (_, ints) => ints.int
  const pointer: TypeOf = b => b.ptr(0)
  const structOf = (name: string): TypeOf => (b, ints) => b.struct(name, 4, [at('v', 0, ints.int)])
  const unionOf = (name: string): TypeOf => (b, ints) => b.union(name, 4, [at('v', 0, ints.int)])
  const enumOf = (name: string, size = 4): TypeOf => b => b.enum(name, [['V', 1]], { size })
  const enum64Of = (name: string): TypeOf => b => b.enum64(name, [['V', 1]])
  const arrayOf = (element: TypeOf, count: number): TypeOf => (b, ints) => b.array(element(b, ints), count)
  const float = (size: number): TypeOf => b => b.float('f', size)
  const proto: TypeOf = b => b.funcProto(0)
  const nothing: TypeOf = () => 0

  const table: ReadonlyArray<readonly [what: string, local: TypeOf, target: TypeOf, outcome: 'resolved 1' | 'absent']> = [
    ['int and pointer', int, pointer, 'absent'],
    ['pointer and int', pointer, int, 'absent'],
    ['array and int', arrayOf(int, 2), int, 'absent'],
    ['int and array', int, arrayOf(int, 1), 'absent'],
    ['struct and int', structOf('a'), int, 'absent'],
    ['struct and pointer', structOf('a'), pointer, 'absent'],
    ['struct and union', structOf('a'), unionOf('b'), 'resolved 1'],
    ['union and struct', unionOf('a'), structOf('a'), 'resolved 1'],
    ['structs of other names', structOf('a'), structOf('b'), 'resolved 1'],
    ['pointers to different things', pointer, (b, ints) => b.ptr(b.ptr(ints.int)), 'resolved 1'],
    ['ints of other size and sign', int, (_, ints) => ints.ullong, 'resolved 1'],
    ['int and bool', int, (_, ints) => ints.bool, 'resolved 1'],
    ['floats of other size', float(4), float(8), 'resolved 1'],
    ['float and int', float(4), int, 'absent'],
    ['enum and int', enumOf('e'), int, 'absent'],
    ['int and enum', int, enumOf('e'), 'absent'],
    ['enums of one name', enumOf('e'), enumOf('e'), 'resolved 1'],
    ['enums of one name and two sizes', enumOf('e'), enumOf('e', 8), 'resolved 1'],
    ['enums of other names', enumOf('e'), enumOf('renamed'), 'absent'],
    ['enum and anonymous enum', enumOf('e'), enumOf(''), 'resolved 1'],
    ['anonymous enum and enum', enumOf(''), enumOf('e'), 'resolved 1'],
    ['flavored enum and enum', enumOf('e___old'), enumOf('e'), 'resolved 1'],
    ['enum and flavored enum', enumOf('e'), enumOf('e___new'), 'resolved 1'],
    ['enum and 64-bit enum', enumOf('e'), enum64Of('e'), 'resolved 1'],
    ['64-bit enum and enum', enum64Of('e'), enumOf('e'), 'resolved 1'],
    ['64-bit enum and an enum of another name', enum64Of('e'), enumOf('renamed'), 'absent'],
    ['arrays of other lengths', arrayOf(int, 2), arrayOf(int, 9), 'resolved 1'],
    ['arrays of other elements', arrayOf(int, 2), arrayOf(pointer, 2), 'absent'],
    ['arrays of arrays and arrays', arrayOf(arrayOf(int, 2), 2), arrayOf(int, 2), 'absent'],
    ['arrays of arrays', arrayOf(arrayOf(int, 2), 2), arrayOf(arrayOf(int, 7), 1), 'resolved 1'],
    ['arrays of struct and of union', arrayOf(structOf('a'), 2), arrayOf(unionOf('b'), 2), 'resolved 1'],
    ['qualified and plain', (b, ints) => b.const(b.volatile(b.typedef('t', ints.int))), int, 'resolved 1'],
    ['plain and tagged', pointer, b => b.typeTag('user', b.restrict(b.ptr(0))), 'resolved 1'],
    ['function prototypes', proto, proto, 'absent'],
    ['void and void', nothing, nothing, 'absent']
  ]

  it.each(table)('%s', (_, local, target, expected) => {
    expect(compatible(local, target)).toBe(expected)
  })

  it('applies to every named member on the path', () => {
    const local = withMembers((b, { int }) => [at('a', 0, b.struct('a', 4, [at('b', 0, int)]))])
    const target = withMembers((b, { int }) => [at('a', 0, b.ptr(b.struct('a', 4, [at('b', 0, int)])))])
    expect(outcome(local.b, target.b, { kind: 'field_exists', type: local.id, access: '0:0:0', was: 1 })).toBe('absent')
  })
})

describe('edge 42: members that are forward declarations', () => {
  const fwd = (name: string, of?: 'struct' | 'union'): TypeOf => b => b.fwd(name, of)

  it.each([
    ['the same name', fwd('a'), fwd('a'), 'resolved 1'],
    ['the same name, struct and union', fwd('a'), fwd('a', 'union'), 'resolved 1'],
    ['different names', fwd('a'), fwd('b'), 'absent'],
    ['flavors of one name', fwd('a___x'), fwd('a___y'), 'resolved 1'],
    ['a struct instead', fwd('a'), (b: BtfBuilder) => b.struct('a', 4), 'absent']
  ] as const)('%s', (_, local, target, expected) => {
    expect(compatible(local, target)).toBe(expected)
  })
})

describe('edge 43: integers with a bit offset', () => {
  const offsetInt: TypeOf = b => b.int('odd', 4, { offset: 4, bits: 8 })

  it('match nothing, on either side', () => {
    expect(compatible(offsetInt, (_, ints) => ints.int)).toBe('absent')
    expect(compatible((_, ints) => ints.int, offsetInt)).toBe('absent')
    expect(compatible(offsetInt, offsetInt)).toBe('absent')
  })

  it('but a width below the storage size is no obstacle', () => {
    expect(compatible(b => b.int('narrow', 4, { bits: 8 }), (_, ints) => ints.int)).toBe('resolved 1')
  })
})

describe('edge 44: depth of nesting in the kernel', () => {
  const deep = (anonymous: number) => withMembers((b, { int }) => {
    let member = at('x', 0, int)
    for (let i = 0; i < anonymous; i++) member = at('', 0, b.struct('', 4, [member]))
    return [member]
  })
  const find = (anonymous: number) => {
    const local = localX()
    return outcome(local.b, deep(anonymous).b, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })
  }

  it('accepts 63 levels', () => {
    expect(find(62)).toBe('resolved 1')
  })

  it.each([63, 64, 200])('refuses %i anonymous levels above the member', (anonymous) => {
    expect(find(anonymous)).toBe('failed E2BIG')
  })

  it('counts array elements too', () => {
    const make = (anonymous: number) => withMembers((b, { int }) => {
      let member = at('x', 0, b.array(int, 2))
      for (let i = 0; i < anonymous; i++) member = at('', 0, b.struct('', 8, [member]))
      return [member]
    })
    const local = make(0)
    expect(outcome(local.b, make(61).b, { kind: 'field_exists', type: local.id, access: '0:0:1', was: 1 })).toBe('resolved 1')
    expect(outcome(local.b, make(62).b, { kind: 'field_exists', type: local.id, access: '0:0:1', was: 1 })).toBe('failed E2BIG')
  })
})

describe('edge 45: an incompatible namesake inside an anonymous member', () => {
  const target = () => withMembers((b, { int }) => [
    at('', 16, b.struct('', 16, [at('pad', 0, int), at('x', 8, b.ptr(0))])),
    at('x', 32, int),
    at('y', 36, int)
  ]).b

  it('leaves its inner offset in the result, as in libbpf', () => {
    const local = withMembers((_, { int }) => [at('x', 0, int), at('y', 4, int)])
    expect(outcome(local.b, target(), { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('resolved 40')
  })

  it('does not disturb the search for another name', () => {
    const local = withMembers((_, { int }) => [at('x', 0, int), at('y', 4, int)])
    expect(outcome(local.b, target(), { kind: 'byte_off', type: local.id, access: '0:1', was: 4 })).toBe('resolved 36')
  })

  it('leaves a surplus entry that counts towards the depth limit', () => {
    const local = localX()
    const make = (twins: number) => withMembers((b, { int }) => [
      ...Array.from({ length: twins }, () => at('', 0, b.struct('', 8, [at('x', 4, b.ptr(0))]))),
      at('x', 8, int)
    ])
    expect(outcome(local.b, make(3).b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('resolved 20')
    expect(outcome(local.b, make(62).b, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toBe('resolved 1')
    expect(outcome(local.b, make(63).b, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toBe('failed E2BIG')
  })
})

describe('edge 46: flavors of member names', () => {
  it('are part of the name for fields', () => {
    const local = localX()
    const target = withMembers((_, { int }) => [at('x___new', 0, int)])
    expect(outcome(local.b, target.b, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toBe('absent')
    expect(outcome(target.b, local.b, { kind: 'field_exists', type: target.id, access: '0:0', was: 1 })).toBe('absent')
  })

  it('are not part of the name for type_matches', () => {
    const local = localX()
    const target = withMembers((_, { int }) => [at('x___new', 0, int)])
    expect(outcome(local.b, target.b, { kind: 'type_matches', type: local.id, was: 1 })).toBe('resolved 1')
    expect(outcome(target.b, local.b, { kind: 'type_matches', type: target.id, was: 1 })).toBe('resolved 1')
  })
})

describe('edge 47: candidates without a size', () => {
  const localTypedef = () => {
    const b = btf()
    return { b, id: b.typedef('foo_t', b.struct('foo', 4, [at('x', 0, integers(b).int)])) }
  }

  it.each([
    ['a forward declaration', (b: BtfBuilder) => b.fwd('foo')],
    ['void', () => 0],
    ['a function prototype', (b: BtfBuilder) => b.funcProto(0)]
  ])('a typedef of %s is an error for every field relocation', (_, make) => {
    const target = btf()
    target.typedef('foo_t', make(target))
    const { b, id } = localTypedef()
    for (const kind of ['field_exists', 'byte_off'] as const) {
      expect(outcome(b, target, { kind, type: id, access: '0:0', was: kind === 'byte_off' ? 0 : 1 })).toBe('failed EINVAL')
    }
  })

  it('is no error for a relocation of the type itself', () => {
    const target = btf()
    target.typedef('foo_t', target.fwd('foo'))
    const { b, id } = localTypedef()
    expect(outcome(b, target, { kind: 'type_exists', type: id, was: 1 })).toBe('absent')
  })

  it('is an error from 2 GiB up', () => {
    const target = btf()
    target.struct('s', 0x80000000, [at('x', 0, integers(target).int)])
    const local = localX()
    expect(outcome(local.b, target, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toMatch(/^failed/)
  })
})

describe('accesses through the first index', () => {
  it.each(BYTE_ORDERS)('scale with the size of the struct in the kernel (%s-endian)', (byteOrder) => {
    const make = (size: number, offset: number) => {
      const b = btf({ byteOrder })
      return { b, id: b.struct('s', size, [at('x', offset, integers(b).int)]) }
    }
    const local = make(8, 4)
    expect(outcome(local.b, make(24, 16).b, { kind: 'byte_off', type: local.id, access: '3:0', was: 28 })).toBe('resolved 88')
  })
})

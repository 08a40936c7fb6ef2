import { describe, expect, it } from 'vitest'
import { parseBtf } from '../../../src/core/index.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject, type CoreRecord } from '../../support/object-builder.js'
import { outcome, outcomeOf, relocateObject, relocateSteps, type Step } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

const asm = assembler('little')

/** A BTF with structs of ints: name to the names of its members, 4 bytes each. */
function structs (layout: Record<string, readonly string[]>) {
  const b = btf()
  const { int } = integers(b)
  const ids: Record<string, number> = {}
  for (const [name, members] of Object.entries(layout)) {
    ids[name] = b.struct(name, Math.max(4, members.length * 4), members.map((member, i) => at(member, i * 4, int)))
  }
  return { b, id: (name: string) => ids[name] ?? -1 }
}

const ESSENTIAL: ReadonlyArray<readonly [name: string, essential: string]> = [
  ['a', 'a'],
  ['b', 'b'],
  ['a___b', 'a'],
  ['a___b___c', 'a___b'],
  ['a___b___c___', 'a___b'],
  ['a___b___', 'a'],
  ['a___', 'a___'],
  ['a____', 'a____'],
  ['ab___', 'ab___'],
  ['___b', '___b'],
  ['_a___b', '_a'],
  ['_____a___b', '_____a'],
  ['a____b', 'a____b'],
  ['a_____b', 'a_____b'],
  ['a___b____c', 'a'],
  ['a___b_', 'a'],
  ['x___y___z_', 'x___y'],
  ['x___y___q', 'x___y'],
  ['_a', '_a'],
  ['_____a', '_____a'],
  ['ü___b', 'ü'],
  ['ü', 'ü']
]

describe('edge 61: essential names', () => {
  const names = ESSENTIAL.map(([name]) => name)

  it.each(ESSENTIAL)('"%s" in the kernel is a flavor of "%s"', (targetName, essential) => {
    const local = structs(Object.fromEntries(names.map(name => [name, []])))
    const { outcomes } = relocateSteps({
      local: local.b,
      target: structs({ [targetName]: [] }).b,
      steps: names.map((name): Step => ({ kind: 'type_exists', type: local.id(name), was: 1 }))
    })
    expect(names.filter((_, i) => outcomes[i] === 'resolved 1')).toEqual(ESSENTIAL.filter(row => row[1] === essential).map(row => row[0]))
  })

  it.each(ESSENTIAL)('enumerator "%s" in the kernel is a flavor of "%s"', (targetName, essential) => {
    const local = btf()
    const id = local.enum('e', names.map((name, i) => [name, i]))
    const target = btf()
    target.enum('e', [[targetName, 1]])
    const { outcomes } = relocateSteps({
      local, target, steps: names.map((_, i): Step => ({ kind: 'enumval_exists', type: id, access: `${i}`, was: 1 }))
    })
    expect(names.filter((_, i) => outcomes[i] === 'resolved 1')).toEqual(ESSENTIAL.filter(row => row[1] === essential).map(row => row[0]))
  })
})

describe('edge 62: flavors on one side', () => {
  it('a flavor in the kernel answers for the plain name, and the reverse', () => {
    const plain = structs({ foo: ['x', 'y'] })
    const flavored = structs({ foo___bar: ['y', 'x'] })
    expect(outcome(plain.b, flavored.b, { kind: 'byte_off', type: plain.id('foo'), access: '0:0', was: 0 })).toBe('resolved 4')
    expect(outcome(flavored.b, plain.b, { kind: 'byte_off', type: flavored.id('foo___bar'), access: '0:0', was: 0 })).toBe('resolved 4')
  })
})

describe('edge 63: kinds of candidates', () => {
  const int = (b: BtfBuilder) => b.int('n', 4)
  const makers: Record<string, (b: BtfBuilder) => number> = {
    struct: b => b.struct('foo', 4, [at('x', 0, int(b))]),
    union: b => b.union('foo', 4, [at('x', 0, int(b))]),
    typedef: b => b.typedef('foo', b.struct('inner', 4, [at('x', 0, int(b))])),
    fwd: b => b.fwd('foo'),
    int: b => b.int('foo', 4),
    enum: b => b.enum('foo', [['A', 1]])
  }

  it.each(Object.keys(makers))('a local %s is looked for among its own kind only', (kind) => {
    for (const other of Object.keys(makers)) {
      const local = btf()
      const id = makers[kind]?.(local) ?? -1
      const target = btf()
      makers[other]?.(target)
      expect(outcome(local, target, { kind: 'type_exists', type: id, was: 1 }), other).toBe(kind === other ? 'resolved 1' : 'absent')
    }
  })

  it('enums of both widths are one kind', () => {
    const local = btf()
    const id = local.enum('foo', [['A', 1]])
    const target = btf()
    target.enum64('foo', [['A', 1]])
    expect(outcome(local, target, { kind: 'type_exists', type: id, was: 1 })).toBe('resolved 1')
    expect(outcome(target, local, { kind: 'type_exists', type: 1, was: 1 })).toBe('resolved 1')
  })
})

describe('edge 64: pruning', () => {
  const local = () => structs({ foo: ['x', 'b'] })
  const target = () => structs({ foo: ['a', 'b'], foo___2: ['x', 'y', 'b'] }).b
  const run = (...steps: Array<readonly [kind: 'byte_off' | 'field_exists' | 'type_exists', access: string]>) => {
    const { b, id } = local()
    return relocateSteps({
      local: b,
      target: target(),
      steps: steps.map(([kind, access]): Step =>
        ({ kind, type: id('foo'), access, was: kind === 'byte_off' ? Number(access.slice(2)) * 4 : 1 }))
    }).outcomes
  }

  it('keeps the candidates that matched before', () => {
    expect(run(['byte_off', '0:0'], ['byte_off', '0:1'])).toEqual(['resolved 0', 'resolved 8'])
  })

  it('makes the outcome depend on the order', () => {
    expect(run(['byte_off', '0:1'])[0]).toBe('failed EINVAL')
  })

  it('is done by existence checks too', () => {
    expect(run(['field_exists', '0:0'], ['byte_off', '0:1'])).toEqual(['resolved 1', 'resolved 8'])
  })

  it('is not done by a type that exists in every flavor', () => {
    expect(run(['type_exists', '0'], ['byte_off', '0:1'])).toEqual(['resolved 1', 'failed EINVAL'])
  })

  it('is not done when nothing matched', () => {
    const { b, id } = structs({ foo: ['gone', 'x', 'b'] })
    const { outcomes } = relocateSteps({
      local: b,
      target: target(),
      steps: [
        { kind: 'field_exists', type: id('foo'), access: '0:0', was: 1 },
        { kind: 'byte_off', type: id('foo'), access: '0:1', was: 4 },
        { kind: 'byte_off', type: id('foo'), access: '0:2', was: 8 }
      ]
    })
    expect(outcomes).toEqual(['absent', 'resolved 0', 'resolved 8'])
  })

  it('can leave a later field without any candidate', () => {
    const { b, id } = structs({ foo: ['x', 'a'] })
    const { outcomes } = relocateSteps({
      local: b,
      target: target(),
      steps: [
        { kind: 'byte_off', type: id('foo'), access: '0:0', was: 0 },
        { kind: 'field_exists', type: id('foo'), access: '0:1', was: 1 },
        { kind: 'byte_off', type: id('foo'), access: '0:1', was: 4 }
      ]
    })
    expect(outcomes).toEqual(['resolved 0', 'absent', 'poisoned'])
  })

  it('is kept per local type, so flavors of one type do not disturb each other', () => {
    const { b, id } = structs({ foo___x: ['x'], foo___y: ['a', 'b'] })
    const { outcomes } = relocateSteps({
      local: b,
      target: target(),
      steps: [
        { kind: 'byte_off', type: id('foo___x'), access: '0:0', was: 0 },
        { kind: 'byte_off', type: id('foo___y'), access: '0:0', was: 0 },
        { kind: 'byte_off', type: id('foo___y'), access: '0:1', was: 4 }
      ]
    })
    expect(outcomes).toEqual(['resolved 0', 'resolved 0', 'resolved 4'])
  })

  it('is done by enumerators', () => {
    const b = btf()
    const id = b.enum('e', [['ONLY', 1], ['BOTH', 2]])
    const kernel = btf()
    kernel.enum('e', [['BOTH', 5]])
    kernel.enum('e___2', [['ONLY', 6], ['BOTH', 7]])
    const { outcomes } = relocateSteps({
      local: b,
      target: kernel,
      steps: [
        { kind: 'enumval_exists', type: id, access: '0', was: 1 }, { kind: 'enumval_value', type: id, access: '1', was: 2 }
      ]
    })
    expect(outcomes).toEqual(['resolved 1', 'resolved 7'])
  })

  it('is neither used nor done by local type ids', () => {
    const { b, id } = local()
    const { outcomes } = relocateSteps({
      local: b,
      target: target(),
      steps: [
        { kind: 'local_type_id', type: id('foo') }, { kind: 'byte_off', type: id('foo'), access: '0:1', was: 4 }
      ]
    })
    expect(outcomes[1]).toBe('failed EINVAL')
  })

  const acrossSections = (first: string, second: string) => {
    const { b, id } = local()
    const record = (section: string, access: string): CoreRecord => ({ section, insnOff: 0, typeId: id('foo'), access, kind: 'byte_off' })
    return relocateObject({
      local: b,
      programs: [
        { section: first, name: 'first', code: concat(asm.mov(1, 0), asm.exit()) },
        { section: second, name: 'second', code: concat(asm.mov(1, 4), asm.exit()) }
      ],
      records: [record(first, '0:0'), record(second, '0:1')]
    }, target())
  }

  it('lasts across programs', () => {
    expect(acrossSections('raw_tp/a', 'raw_tp/b').outcomes).toEqual(['resolved 0', 'resolved 8'])
  })

  it('is not done by programs that are not loaded by default', () => {
    expect(acrossSections('?raw_tp/a', 'raw_tp/b').outcomes).toEqual(['resolved 0', 'failed EINVAL'])
  })

  it('of loaded programs is seen by those that are not', () => {
    expect(acrossSections('raw_tp/a', '?raw_tp/b').outcomes).toEqual(['resolved 0', 'resolved 8'])
  })

  it('is not done by records in no function', () => {
    const { b, id } = local()
    const { outcomes } = relocateObject({
      local: b,
      programs: [
        { section: 'raw_tp/a', name: 'dropped', code: concat(asm.mov(1, 0)), symbol: false },
        { section: 'raw_tp/a', name: 'kept', code: concat(asm.mov(1, 4), asm.exit()) }
      ],
      records: [
        { section: 'raw_tp/a', insnOff: 0, typeId: id('foo'), access: '0:0', kind: 'byte_off' },
        { section: 'raw_tp/a', insnOff: 8, typeId: id('foo'), access: '0:1', kind: 'byte_off' }
      ]
    }, target())
    expect(outcomes).toEqual(['failed EINVAL'])
  })
})

describe('edge 65: candidates that agree on the offset', () => {
  const two = (first: 'int' | 'llong', second: 'int' | 'llong') => {
    const b = btf()
    const ints = integers(b)
    b.struct('foo', 16, [at('x', 8, ints[first])])
    b.struct('foo___2', 16, [at('x', 8, ints[second])])
    return b
  }
  const local = () => structs({ foo: ['x'] })

  it('may differ in size for an offset, of which the first one counts', () => {
    const { b, id } = local()
    const load = { kind: 'byte_off', type: id('foo'), access: '0:0', insn: asm.ldx('w', 2, 1, 0) } as const
    expect(outcome(b, two('int', 'llong'), load)).toBe('resolved 8')
    expect(outcome(b, two('llong', 'int'), load)).toBe('poisoned')
  })

  it('may not differ in size when the size is asked', () => {
    const { b, id } = local()
    expect(outcome(b, two('int', 'llong'), { kind: 'byte_sz', type: id('foo'), access: '0:0', was: 4 })).toBe('failed EINVAL')
    expect(outcome(b, two('int', 'int'), { kind: 'byte_sz', type: id('foo'), access: '0:0', was: 4 })).toBe('resolved 4')
  })
})

describe('edges 66 to 68: modules', () => {
  const local = () => structs({ foo: ['x'] })
  const module = (base: BtfBuilder, name: string, offset: number) => {
    const b = btf({ base })
    b.struct(name, 64, [at('x', offset, b.int('int', 4, { signed: true }))])
    return b
  }
  const load = { kind: 'byte_off', access: '0:0', was: 0 } as const

  it('are not asked when the kernel has a candidate, even if it does not match', () => {
    const { b, id } = local()
    const kernel = structs({ foo: ['other'] }).b
    expect(outcome(b, kernel, { ...load, type: id('foo') }, [module(kernel, 'foo', 8)])).toBe('poisoned')
  })

  it('are all asked when it has none', () => {
    const { b, id } = local()
    const kernel = structs({ bar: ['x'] }).b
    expect(outcome(b, kernel, { ...load, type: id('foo') }, [module(kernel, 'baz', 4), module(kernel, 'foo', 8)])).toBe('resolved 8')
    expect(outcome(b, kernel, { ...load, type: id('foo') }, [module(kernel, 'foo', 8), module(kernel, 'foo', 8)])).toBe('resolved 8')
  })

  it('make a relocation ambiguous when two of them disagree', () => {
    const { b, id } = local()
    const kernel = structs({ bar: ['x'] }).b
    expect(outcome(b, kernel, { ...load, type: id('foo') }, [module(kernel, 'foo', 8), module(kernel, 'foo', 12)])).toBe('failed EINVAL')
  })

  it('are not asked when none are given', () => {
    const { b, id } = local()
    expect(outcome(b, structs({ bar: ['x'] }).b, { ...load, type: id('foo') })).toBe('poisoned')
  })

  it('are asked for one type and not for another of the same object', () => {
    const { b, id } = structs({ foo: ['x'], bar: ['x'] })
    const kernel = structs({ bar: ['added', 'x'] }).b
    const { outcomes } = relocateSteps({
      local: b,
      target: kernel,
      modules: [module(kernel, 'foo', 8), module(kernel, 'bar', 60)],
      steps: [{ ...load, type: id('foo') }, { ...load, type: id('bar') }]
    })
    expect(outcomes).toEqual(['resolved 8', 'resolved 4'])
  })

  it('may be reused, as a parsed kernel may, for one object after another', () => {
    const kernel = structs({ bar: ['x'] }).b
    const target = parseBtf(kernel.bytes())
    const modules = [parseBtf(module(kernel, 'foo', 8).bytes(), { base: target })]
    const { b, id } = local()
    const object = buildObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: id('foo'), access: '0:0', kind: 'byte_off' }]
    })
    const first = relocate(object.bytes, target, { modules })
    expect(relocate(object.bytes, target).records.map(outcomeOf)).toEqual(['poisoned'])
    expect(relocate(object.bytes, target, { modules }).bytes).toEqual(first.bytes)
  })
})

describe('edge 69: root types', () => {
  it.each([
    ['const struct', (b: BtfBuilder, struct: number) => b.const(struct)],
    ['a pointer', (b: BtfBuilder, struct: number) => b.ptr(struct)],
    ['an array', (b: BtfBuilder, struct: number) => b.array(struct, 2)],
    ['an anonymous struct', (b: BtfBuilder) => b.struct('', 4)],
    ['void', () => 0]
  ])('refuses %s, which has no name', (_, make) => {
    const { b, id } = structs({ foo: ['x'] })
    const root = make(b, id('foo'))
    for (const kind of ['byte_off', 'field_exists', 'type_exists', 'type_size', 'target_type_id'] as const) {
      expect(outcome(b, b, { kind, type: root, access: '0', was: 0 })).toBe('failed EINVAL')
    }
  })

  it('allows an int by name', () => {
    const b = btf()
    const { int } = integers(b)
    const kernel = btf()
    kernel.int('int', 8, { signed: true })
    expect(outcome(b, kernel, { kind: 'byte_sz', type: int, access: '0', was: 4 })).toBe('resolved 8')
    expect(outcome(b, kernel, { kind: 'byte_off', type: int, access: '3', was: 12 })).toBe('resolved 24')
  })

  it('allows a type tag with a name, as any named root', () => {
    const { b, id } = structs({ foo: ['x'] })
    const tagged = b.typeTag('tagged', id('foo'))
    expect(outcome(b, b, { kind: 'byte_off', type: tagged, access: '0:0', was: 0 })).toBe('resolved 0')
  })
})

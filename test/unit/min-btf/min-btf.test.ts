import { describe, expect, it } from 'vitest'
import { nameOf, typeId, vlenOf, type Btf } from '../../../src/btf/btf.js'
import { AppError } from '../../../src/errors.js'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { minimiseBtf } from '../../../src/index.js'
import { at, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { relocate } from '../../support/relocate.js'
import { outcomeOf, relocateSteps, type Scene } from '../../support/scenario.js'

/** The smaller BTF for a scene, after checking that the scene's object becomes the same with it as with the whole. */
function minimise (scene: Scene & { readonly target: BtfBuilder }, pointerSize?: 4 | 8): {
  bytes: Uint8Array
  small: Btf
  outcomes: readonly string[]
} {
  const whole = relocateSteps(scene)
  const target = parseBtf(scene.target.bytes(), { pointerSize })
  const modules = (scene.modules ?? []).map(module => parseBtf(module.bytes(), { base: target }))
  const object = parseObject(whole.object.bytes)
  const bytes = minimiseBtf([object], target, { modules })
  const small = parseBtf(bytes)
  const relocation = relocate(object, small)
  if (!scene.steps.some(({ kind }) => kind === 'target_type_id')) {
    expect(relocation.bytes).toEqual(relocate(object, target, { modules }).bytes)
  }
  return { bytes, small, outcomes: relocation.records.map(outcomeOf) }
}

function namesIn (btf: Btf): string[] {
  return Array.from({ length: btf.endId - 1 }, (_, i) => nameOf(btf, typeId(i + 1))).filter(name => name !== '')
}

/** A kernel with a task that has a name, a parent and flags, and some hundred types that nobody asks for. */
function kernel () {
  const b = btf()
  const { int } = integers(b)
  const char = b.int('char', 1)
  const name = b.array(char, 16)
  const task = b.nextId
  const parent = b.ptr(task + 1)
  b.struct('task', 48, [at('pid', 0, int), at('comm', 4, name), at('parent', 24, parent), at('flags', 32, int)])
  for (let i = 0; i < 100; i++) b.struct(`other_${i}`, 4, [at('x', 0, int)])
  return b
}

function program () {
  const b = btf()
  const { int } = integers(b)
  const task = b.struct('task', 8, [at('pid', 0, int), at('flags', 4, int)])
  return { b, task }
}

describe('a minimised BTF', () => {
  it('has the types and members that the object uses, at their offsets, and nothing else', () => {
    const { b, task } = program()
    const { bytes, small, outcomes } = minimise({
      local: b, target: kernel(), steps: [{ kind: 'byte_off', type: task, access: '0:1', was: 4 }]
    })
    expect(outcomes).toEqual(['resolved 32'])
    expect(namesIn(small)).toEqual(['int', 'task'])
    expect(vlenOf(small, typeId(2))).toBe(1)
    expect(bytes.length).toBeLessThan(120)
  })

  it('is the same for several objects as for one that asks for all of it', () => {
    const { b, task } = program()
    const ask = (accesses: readonly string[]) => relocateSteps({
      local: b, target: kernel(), steps: accesses.map(access => ({ kind: 'byte_off', type: task, access, was: access === '0:1' ? 4 : 0 }))
    }).object.bytes
    const target = parseBtf(kernel().bytes())
    const [both, pid, flags] = [['0:0', '0:1'], ['0:0'], ['0:1']].map(accesses => parseObject(ask(accesses)))
    if (both === undefined || pid === undefined || flags === undefined) throw new Error('three objects are missing')
    expect(minimiseBtf([pid, flags], target)).toEqual(minimiseBtf([both], target))
  })

  it('of an enumeration has the enumerators that the object asks for', () => {
    const local = btf()
    const asked = local.enum('state', [['DEAD', 1], ['GONE', 7]])
    const target = btf()
    target.enum('state', [['RUNNING', 0], ['SLEEPING', 1], ['DEAD', 64], ['PARKED', 65]])
    const { small, outcomes } = minimise({
      local,
      target,
      steps: [
        { kind: 'enumval_value', type: asked, access: '0', was: 1 },
        { kind: 'enumval_exists', type: asked, access: '1', was: 1 }
      ]
    })
    expect(outcomes).toEqual(['resolved 64', 'absent'])
    expect(vlenOf(small, typeId(1))).toBe(1)
  })

  it('goes through type tags and forward declarations, on which bpftool gives up', () => {
    const make = () => {
      const b = btf()
      const hidden = b.fwd('hidden')
      const tagged = b.ptr(b.typeTag('user', hidden))
      return { b, handle: b.typedef('handle', tagged) }
    }
    const local = make()
    const { outcomes, small } = minimise({
      local: local.b,
      target: make().b,
      steps: [
        { kind: 'type_exists', type: local.handle, was: 1 }, { kind: 'type_size', type: local.handle, was: 8 }
      ]
    })
    expect(outcomes).toEqual(['resolved 1', 'resolved 8'])
    expect(namesIn(small)).toEqual(['hidden', 'user', 'handle'])
  })

  it('keeps the second type of a name where a later access needs it', () => {
    const kernelWithTwo = () => {
      const b = btf()
      const { int } = integers(b)
      b.struct('ring', 8, [at('head', 4, int)])
      b.struct('ring', 16, [at('head', 4, int), at('tail', 12, int)])
      return b
    }
    const local = btf()
    const { int } = integers(local)
    const ring = local.struct('ring', 8, [at('head', 0, int), at('tail', 4, int)])
    const { outcomes } = minimise({
      local,
      target: kernelWithTwo(),
      steps: [
        { kind: 'byte_off', type: ring, access: '0:0', was: 0 },
        { kind: 'byte_off', type: ring, access: '0:1', was: 4 },
        { kind: 'type_size', type: ring, was: 8 }
      ]
    })
    expect(outcomes).toEqual(['resolved 4', 'resolved 12', 'resolved 16'])
  })

  it('does not make a type fit that the kernel has in another form', () => {
    const target = btf()
    const { int } = integers(target)
    target.typedef('handle', target.ptr(int))
    const local = btf()
    const nothing = local.typedef('handle', local.ptr(0))
    const { outcomes } = minimise({ local, target, steps: [{ kind: 'type_exists', type: nothing, was: 1 }] })
    expect(outcomes).toEqual(['absent'])
  })

  it('does not make an array that is not the last member one that may be read past its end', () => {
    const target = btf()
    const { int } = integers(target)
    const empty = target.array(int, 0)
    target.struct('table', 8, [at('rows', 0, empty), at('count', 4, int)])
    const local = btf()
    const here = integers(local)
    const table = local.struct('table', 40, [at('rows', 0, local.array(here.int, 10))])
    const { outcomes } = minimise({
      local,
      target,
      steps: [{ kind: 'byte_off', type: table, access: '0:0', was: 0 }, { kind: 'field_exists', type: table, access: '0:0:2', was: 1 }]
    })
    expect(outcomes).toEqual(['resolved 0', 'absent'])
  })

  it('has what a module has, in the same one BTF', () => {
    const target = kernel()
    const module = btf({ base: target })
    const { int } = integers(module)
    module.struct('task', 400, [at('flags', 200, int)])
    module.struct('nf_conn', 64, [at('mark', 48, int), at('owner', 8, module.ptr(1)), at('inner', 16, module.nextId - 1)])
    const local = btf()
    const here = integers(local)
    const conn = local.struct('nf_conn', 4, [at('mark', 0, here.int)])
    const task = local.struct('task', 4, [at('flags', 0, here.int)])
    const { outcomes } = minimise({
      local,
      target,
      modules: [module],
      steps: [{ kind: 'byte_off', type: conn, access: '0:0', was: 0 }, { kind: 'byte_off', type: task, access: '0:0', was: 0 }]
    })
    expect(outcomes).toEqual(['resolved 48', 'resolved 32'])
  })

  it('is in the byte order of the kernel', () => {
    const make = () => btf({ byteOrder: 'big' })
    const local = make()
    const task = local.struct('task', 4, [at('pid', 0, integers(local).int)])
    const target = make()
    target.struct('task', 16, [at('pid', 12, integers(target).int)])
    const { bytes, outcomes } = minimise({ local, target, steps: [{ kind: 'byte_off', type: task, access: '0:0', was: 0 }] })
    expect([...bytes.subarray(0, 2)]).toEqual([0xeb, 0x9f])
    expect(outcomes).toEqual(['resolved 12'])
  })

  it('says how long a pointer of a 32-bit kernel is', () => {
    const target = btf()
    const long = target.int('long unsigned int', 4)
    const { int } = integers(target)
    const pointers = target.array(target.ptr(int), 4)
    target.struct('table', 20, [at('rows', 0, pointers), at('count', 16, long)])
    const local = btf()
    const table = local.struct('table', 32, [at('rows', 0, local.array(local.ptr(0), 4))])
    const { small, outcomes } = minimise({ local, target, steps: [{ kind: 'byte_off', type: table, access: '0:0:3', was: 24 }] }, 4)
    expect(small.pointerSize).toBe(4)
    expect(outcomes).toEqual(['resolved 12'])
  })

  it('is a BTF without types for an object that asks for nothing', () => {
    const target = parseBtf(kernel().bytes())
    const object = parseObject(relocateSteps({ local: program().b, target: kernel(), steps: [] }).object.bytes)
    const bytes = minimiseBtf([object], target)
    expect(parseBtf(bytes).endId).toBe(1)
    expect(bytes.length).toBe(25)
  })

  it('is refused, with the object named, where libbpf would refuse the object', () => {
    const target = btf()
    const { int } = integers(target)
    target.struct('ring', 8, [at('head', 0, int)])
    target.struct('ring', 8, [at('head', 4, int)])
    const local = btf()
    const ring = local.struct('ring', 4, [at('head', 0, integers(local).int)])
    const { object } = relocateSteps({ local, target, steps: [{ kind: 'byte_off', type: ring, access: '0:0', was: 0 }] })
    const kernelBtf = parseBtf(target.bytes())
    const refuse = () => minimiseBtf([parseObject(object.bytes)], kernelBtf, { names: ['ring.bpf.o'] })
    expect(refuse).toThrow(AppError)
    expect(refuse).toThrow(/^ring\.bpf\.o cannot be relocated for this kernel: 1 of 1 relocations has no answer.*different offsets/)
  })

  it('is refused, with the object named, where an object has another byte order than the kernel', () => {
    const [object, other] = (['little', 'big'] as const).map(byteOrder => {
      const local = btf({ byteOrder })
      return parseObject(relocateSteps({ local, target: btf({ byteOrder }), steps: [] }).object.bytes)
    })
    if (object === undefined || other === undefined) throw new Error('it was not built')
    expect(() => minimiseBtf([object, other], parseBtf(kernel().bytes()), { names: ['one.bpf.o', 'two.bpf.o'] }))
      .toThrow('two.bpf.o: The object is big-endian, but the kernel\'s BTF is little-endian.')
  })
})

import { describe, expect, it } from 'vitest'
import { parseObject } from '../../../src/core/index.js'
import { ageOf } from '../../../src/verdict/age.js'
import { readFunctions } from '../../../src/verdict/code.js'
import { sweep } from '../../../src/verdict/sweep.js'
import { assembler, poison } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject } from '../../support/object-builder.js'

const asm = assembler('little')
const POISON = poison('little')
const EXIT = [asm.mov(0, 0), asm.exit()]
const RANDOM = asm.call(7)
/** bpf_map_lookup_elem */
const LOOKUP = asm.call(1)
const NO_PATCHES = { offsets: new Uint32Array(0), before: new Uint8Array(0), after: new Uint8Array(0) }

function swept (insns: readonly Uint8Array[], release?: string, work = { left: 1000 }) {
  const { bytes } = buildObject({ local: btf(), programs: [{ section: 'kprobe/x', name: 'p', code: concat(...insns) }], records: [] })
  const object = parseObject(bytes)
  const functions = readFunctions(object, NO_PATCHES)
  const [fn] = object.elf.functions
  if (fn === undefined) throw new Error('the object has a function')
  return sweep(functions.codeOf(fn), functions, ageOf(release), work)
}

/** Whether a pass gets to the poison of a program that has one, and whether it is certain that the verifier does. */
function poisonOf (insns: readonly Uint8Array[], release?: string): 'out of reach' | 'open' | 'certain' {
  const found = swept(insns, release)
  if (found !== undefined && found.certain.length > 0) return 'certain'
  return found?.poison.size === 0 ? 'out of reach' : 'open'
}

/** Poison that is jumped over where a register holds a number. */
const guarded = (register: number, number: number) => [asm.jeq(register, number, 1), POISON, ...EXIT]

describe('a pass over the constants in registers', () => {
  it.each([
    ['a number', [asm.mov(1, 0)], 1],
    ['a copy of it', [asm.mov(6, 0), asm.movReg(1, 6)], 1],
    ['the lower half of a register', [asm.mov32(1, 0)], 1],
    ['a number of 64 bits', [asm.ldImm64(1, 0)], 1],
    ['a result', [asm.mov(1, 6), asm.alu('AND', 1, 1)], 1],
    ['a number that a call keeps', [asm.mov(6, 0), RANDOM], 6]
  ])('does not get to poison that %s guards', (_name, before, register) => {
    expect(poisonOf([...before, ...guarded(register, 0)])).toBe('out of reach')
  })

  it.each([
    ['a call', [asm.mov(1, 0), RANDOM], 1],
    ['a load', [asm.mov(1, 0), asm.ldx('dw', 1, 10, -8)], 1],
    ['an atomic operation that fetches', [asm.mov(1, 0), asm.atomic('dw', 10, 1, -8, 1)], 1],
    ['one that compares', [asm.mov(0, 0), asm.atomic('dw', 10, 2, -8, 0xf1)], 0],
    ['a load of a packet', [asm.mov(1, 0), asm.ldAbs('w', 0)], 1],
    ['a byte swap', [asm.mov(1, 0), asm.byteSwap(1, 64)], 1],
    ['a sum with what is not known', [RANDOM, asm.mov(1, 0), asm.addReg(1, 0)], 1],
    ['another way', [RANDOM, asm.mov(1, 0), asm.jeq(0, 5, 1), asm.mov(1, 1)], 1],
    ['a loop', [RANDOM, asm.mov(1, 0), asm.jeq(0, 5, 2), asm.mov(1, 1), asm.ja(-3)], 1],
    [
      'a loop within a loop',
      [asm.mov(6, 0), asm.mov(7, 0), RANDOM, asm.jeq(0, 1, 1), asm.ja(3), asm.mov(7, 1), RANDOM, asm.jeq(0, 2, -6), asm.movReg(6, 7)], 6
    ]
  ])('does not take a number for known that %s changed', (_name, before, register) => {
    expect(poisonOf([...before, ...guarded(register, 0)])).toBe('open')
  })

  it('remembers how control came to a loop whose turns are decided', () => {
    const turn = [asm.alu('ADD', 1, 1), asm.slot(0xc5, 1, 0, -2, 2)] // again while r1 is less than 2
    expect(poisonOf([asm.mov(1, 0), ...turn, ...guarded(1, 2)])).toBe('open')
    expect(poisonOf([RANDOM, asm.mov(1, 0), asm.jeq(0, 5, 1), asm.mov(1, 1), ...turn, ...guarded(1, 2)])).toBe('open')
  })

  it('is certain of poison before which no branch is open', () => {
    expect(poisonOf([POISON, ...EXIT])).toBe('certain')
    expect(poisonOf([RANDOM, asm.mov(1, 1), ...guarded(1, 0)])).toBe('certain')
    expect(poisonOf([asm.mov(1, 0), asm.jeq(1, 0, 2), ...EXIT, POISON, ...EXIT])).toBe('certain')
    expect(poisonOf([RANDOM, asm.jeq(0, 5, 0), POISON, ...EXIT])).toBe('open')
    expect(poisonOf([RANDOM, asm.jeq(0, 0, 1), POISON, ...EXIT])).toBe('open')
    expect(poisonOf([asm.call(181), POISON, ...EXIT])).toBe('open')
  })

  it('is certain of poison where a pointer that may be null is not', () => {
    expect(poisonOf([LOOKUP, asm.jeq(0, 0, 1), POISON, ...EXIT])).toBe('certain')
    expect(poisonOf([LOOKUP, asm.movReg(6, 0), RANDOM, asm.jeq(6, 0, 2), asm.ja(0), POISON, ...EXIT])).toBe('certain')
    expect(poisonOf([LOOKUP, asm.jeq(0, 0, 2), ...EXIT, POISON, ...EXIT])).toBe('open')
    expect(poisonOf([LOOKUP, asm.jeq(0, 0, 0), POISON, ...EXIT])).toBe('open')
    expect(poisonOf([LOOKUP, asm.jeq(0, 1, 1), POISON, ...EXIT])).toBe('open')
    expect(poisonOf([LOOKUP, asm.alu('ADD', 0, 1), asm.jeq(0, 0, 1), POISON, ...EXIT])).toBe('open')
  })

  it('decides what the verifier of the kernel decides', () => {
    const unequal = [asm.mov(1, 1), asm.jeq(1, 0, 1), asm.ja(1), POISON, ...EXIT]
    expect(poisonOf(unequal)).toBe('out of reach')
    expect(poisonOf(unequal, '4.14.0')).toBe('open')
  })

  it('is no answer where the work does not suffice', () => {
    expect(swept([POISON, ...EXIT], undefined, { left: 0 })).toBeUndefined()
  })
})

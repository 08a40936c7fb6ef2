import { describe, expect, it } from 'vitest'
import { parseObject } from '../../../src/core/index.js'
import { judge, type Verdict } from '../../../src/verdict/index.js'
import { assembler, poison } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { NOTHING_RELOCATED } from '../../support/nothing-relocated.js'
import { buildObject } from '../../support/object-builder.js'

const asm = assembler('little')
const EXIT = [asm.mov(0, 0), asm.exit()]
/** bpf_get_prandom_u32: a number that no verifier knows. */
const RANDOM = asm.call(7)

/** Jumps that compare with a number, by their opcodes: 64 bits, and 32. */
const JUMP = { JEQ: 0x15, JGT: 0x25, JGE: 0x35, JNE: 0x55, JSGT: 0x65, JSGE: 0x75, JLT: 0xa5, JLE: 0xb5, JSLT: 0xc5, JSLE: 0xd5 } as const
type Jump = keyof typeof JUMP
const to64 = (jump: Jump, dst: number, imm: number, off: number): Uint8Array => asm.slot(JUMP[jump], dst, 0, off, imm)
const to32 = (jump: Jump, dst: number, imm: number, off: number): Uint8Array => asm.slot(JUMP[jump] + 1, dst, 0, off, imm)
/** The same of two registers. */
const between = (jump: Jump, dst: number, src: number, off: number): Uint8Array => asm.slot(JUMP[jump] + 8, dst, src, off)
const copyOfHalf = (dst: number, src: number): Uint8Array => asm.slot(0xbc, dst, src)

/** Releases whose verifiers may know more of numbers or less: none, those of distributions, and one after all that is known. */
const RELEASES = [undefined, '4.18.0-553.el8_10.x86_64', '5.14.0-427.el9.x86_64', '9.1.0'] as const

/** The verdict of a program with poison behind the instructions, for each of those releases. */
function verdictsOf (...insns: readonly Uint8Array[]): readonly Verdict[] {
  const code = concat(...insns, poison('little'), ...EXIT)
  const object = parseObject(buildObject({ local: btf(), programs: [{ section: 'kprobe/x', name: 'p', code }], records: [] }).bytes)
  const relocation = { ...NOTHING_RELOCATED, target: { btf: object.btf, modules: [] } }
  return RELEASES.map(kernelRelease => judge(object, relocation, kernelRelease === undefined ? {} : { kernelRelease }).verdict)
}

const FAILS = RELEASES.map(() => 'fails')

describe('a program that gets to poison when it runs fails, whatever its verifier knows of numbers,', () => {
  it.each([
    ['a limit', [to64('JGT', 0, 64, 1)]],
    ['both limits of a length', [to64('JGT', 0, 64, 2), to64('JLT', 0, 8, 1)]],
    ['limits of a word', [to32('JGE', 0, 64, 2), to32('JLE', 0, 8, 1)]],
    ['limits with a sign', [to64('JSLE', 0, -5, 2), to64('JSGT', 0, -2, 1)]],
    ['limits of a word with a sign', [to32('JSGE', 0, -2, 2), to32('JSLT', 0, -5, 1)]],
    ['one number between two', [to64('JLE', 0, 41, 2), to64('JGE', 0, 43, 1)]],
    ['all numbers but one', [to64('JNE', 0, 1234567, 1)]],
    ['an index that is masked', [asm.alu('AND', 0, 7), to64('JLT', 0, 7, 1)]],
    ['an index that is shifted', [asm.alu('RSH', 0, 60), to64('JNE', 0, 15, 1)]],
    ['an index that is moved', [asm.alu('AND', 0, 15), asm.add(0, 16), to64('JLE', 0, 30, 1)]],
    ['an index that is scaled', [asm.alu('AND', 0, 15), asm.alu('MUL', 0, 12), to64('JLE', 0, 160, 1)]],
    ['a number that is divided', [asm.alu('DIV', 0, 10), to64('JNE', 0, 3, 1)]],
    ['the lower half of a number', [asm.alu32('ADD', 0, 5), to64('JGT', 0, 3, 1)]],
    ['a copy', [asm.movReg(6, 0), to64('JLE', 6, 10, 2), to64('JGE', 0, 50, 1)]],
    ['a copy on the stack', [asm.stx('dw', 10, 0, -8), to64('JGT', 0, 10, 2), asm.ldx('dw', 6, 10, -8), to64('JLT', 6, 5, 1)]],
    ['part of a copy on the stack', [asm.alu('AND', 0, 255), asm.stx('dw', 10, 0, -8), asm.ldx('b', 6, 10, -8), to64('JNE', 6, 77, 1)]],
    ['another number', [asm.movReg(6, 0), RANDOM, between('JGT', 0, 6, 1)]],
    ['another number that is limited', [asm.movReg(6, 0), to64('JGT', 6, 9, 2), RANDOM, between('JGE', 0, 6, 1)]],
    ['a counter of a loop', [
      asm.alu('AND', 0, 7), asm.mov(6, 0), asm.add(6, 1), to64('JGT', 6, 6, 1), between('JLT', 6, 0, -3), to64('JLT', 6, 3, 1)
    ]]
  ])('behind %s', (_, guard) => {
    expect(verdictsOf(RANDOM, ...guard)).toEqual(FAILS)
  })
})

describe('a program in which some verifier in question sees that no number gets to poison is not said to fail', () => {
  it.each([
    ['limits that exclude each other', [to64('JGT', 0, 64, 2), to64('JLT', 0, 65, 1)]],
    ['limits that exclude each other with a sign', [to64('JSGE', 0, 0, 2), to64('JSLT', 0, 5, 1)]],
    ['an index that is masked', [asm.alu('AND', 0, 7), to64('JLE', 0, 7, 1)]],
    ['an index that is shifted', [asm.alu('RSH', 0, 60), to64('JLT', 0, 16, 1)]],
    ['a copy', [asm.movReg(6, 0), to64('JLE', 6, 10, 2), to64('JGE', 0, 5, 1)]],
    ['a number that is another by a constant', [asm.movReg(6, 0), asm.add(6, 3), to64('JNE', 0, 4, 2), to64('JEQ', 6, 7, 1)]],
    ['a copy of the lower half', [asm.alu('AND', 0, 255), copyOfHalf(6, 0), to64('JNE', 0, 4, 2), to64('JEQ', 6, 4, 1)]],
    ['part of a copy on the stack', [
      asm.alu('AND', 0, 255), asm.stx('dw', 10, 0, -8), to64('JNE', 0, 4, 3), asm.ldx('b', 6, 10, -8), to64('JEQ', 6, 4, 1)
    ]],
    ['a counter of a loop', [
      asm.alu('AND', 0, 7), asm.mov(6, 0), asm.add(6, 1), to64('JGT', 6, 6, 3), between('JLT', 6, 0, -3), to64('JLE', 6, 7, 1)
    ]]
  ])('behind %s', (_, guard) => {
    expect(verdictsOf(RANDOM, ...guard)).not.toContain('fails')
  })

  it('behind a zero on the stack that only older verifiers remember, where its verifier may be one of them', () => {
    const store = [asm.mov(6, 0), asm.stx('dw', 10, 6, -8), to64('JGT', 0, 100, 4), asm.stx('h', 10, 0, -2)]
    const [, ...inDoubt] = verdictsOf(RANDOM, ...store, asm.ldx('h', 6, 10, -8), to64('JSLT', 6, 3, 1))
    expect(inDoubt.slice(0, 2)).toEqual(['unknown', 'unknown'])
  })
})

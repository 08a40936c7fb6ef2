import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { ageOf } from '../../../src/verdict/age.js'
import { judge, type JudgeOptions, type Verdict } from '../../../src/verdict/index.js'
import { assembler, poison } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { NOTHING_RELOCATED } from '../../support/nothing-relocated.js'
import { buildObject } from '../../support/object-builder.js'

const asm = assembler('little')
const POISON = poison('little')
const EXIT = [asm.mov(0, 0), asm.exit()]
/** bpf_get_prandom_u32: a number that no verifier knows. */
const RANDOM = asm.call(7)

function judged (insns: readonly Uint8Array[]) {
  const object = parseObject(
    buildObject({ local: btf(), programs: [{ section: 'kprobe/x', name: 'p', code: concat(...insns) }], records: [] }).bytes
  )
  return judge(object, { ...NOTHING_RELOCATED, target: { btf: object.btf, modules: [] } })
}

function verdictOf (insns: readonly Uint8Array[], options: JudgeOptions = {}): Verdict { return verdictWith([], insns, options) }

/** The verdict of a program with a subprogram, which a call without a relocation finds at the start of `.text`. */
function verdictWith (subprogram: readonly Uint8Array[], insns: readonly Uint8Array[], options: JudgeOptions = {}, local = btf()): Verdict {
  const program = { section: 'kprobe/x', name: 'p', code: concat(...insns) }
  const programs = subprogram.length === 0
    ? [program]
    : [program, { section: '.text', name: 'f', code: concat(...subprogram), binding: 'local' as const }]
  const object = parseObject(buildObject({ local, programs, records: [] }).bytes)
  const relocation = { ...NOTHING_RELOCATED, target: { btf: object.btf, modules: [] } }
  return judge(object, relocation, options).verdict
}

describe('the verdict of a program with poison', () => {
  it('leaves the bytes of the object as they are, those of a Buffer too, which shares them where arrays copy', () => {
    const local = btf()
    const { int } = integers(local)
    const typeId = local.struct('s', 4, [at('gone', 0, int)])
    const kernel = btf()
    kernel.struct('s', 4, [at('kept', 0, integers(kernel).int)])
    const records = [{ section: 'kprobe/x', insnOff: 0, typeId, access: '0:0', kind: 'byte_off' as const }]
    const bytes = Buffer.from(
      buildObject({ local, programs: [{ section: 'kprobe/x', name: 'p', code: concat(asm.mov(1, 0), ...EXIT) }], records }).bytes
    )
    const before = Buffer.from(bytes)
    const object = parseObject(bytes)
    expect(judge(object, relocate(object, parseBtf(kernel.bytes()))).verdict).toBe('fails')
    expect(bytes.equals(before)).toBe(true)
  })

  it('is fails where nothing stands before the poison', () => {
    expect(verdictOf([POISON, ...EXIT])).toBe('fails')
  })

  it('says where the poison is the own one of a program, which no relocation tells of', () => {
    expect(judged([POISON, ...EXIT]).programs[0]?.reason).toBe(
      'The verifier gets to instruction 0 of p, which calls 0xbad2310 in the object itself.'
    )
    expect(judged([RANDOM, asm.jeq(0, 0, 1), POISON, ...EXIT]).programs[0]?.reason).toContain(
      'instruction 2 of p, which calls 0xbad2310 in the object itself.'
    )
  })

  it('is of the release that it was asked for, although no relocation poisons anything', () => {
    expect(judged([RANDOM, asm.jeq(0, 0, 1), POISON, ...EXIT]).isOfRelease).toBe(true)
    expect(judged(EXIT).isOfRelease).toBe(false)
  })

  it('is loads behind a jump that constants always take', () => {
    expect(verdictOf([asm.mov(1, 0), asm.jeq(1, 0, 1), POISON, ...EXIT])).toBe('loads')
  })

  it('is fails behind a branch that the verifier follows both ways', () => {
    expect(verdictOf([RANDOM, asm.jeq(0, 5, 1), POISON, ...EXIT])).toBe('fails')
  })

  it('is loads where a constant of the stack decides, on verifiers that remember it', () => {
    const program = [asm.mov(1, 1), asm.stx('dw', 10, 1, -8), asm.ldx('dw', 2, 10, -8), asm.jeq(2, 1, 1), POISON, ...EXIT]
    expect(verdictOf(program)).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '5.4.0-42-generic' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '4.19.0' })).toBe('fails')
    expect(verdictOf(program, { kernelRelease: '4.18.0-305.el8.x86_64' })).toBe('unknown')
  })

  it('is loads where four bytes of the stack decide, from Linux 5.16 on', () => {
    const program = [asm.mov(1, 1), asm.stx('w', 10, 1, -8), asm.ldx('w', 2, 10, -8), asm.jeq(2, 1, 1), POISON, ...EXIT]
    expect(verdictOf(program, { kernelRelease: '5.16.0' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '5.9.16' })).toBe('fails')
    expect(verdictOf(program, { kernelRelease: '5.15.0' })).toBe('unknown')
    expect(verdictOf(program, { kernelRelease: '5.10.0-46-amd64' })).toBe('loads')
  })

  it('is loads where what BPF_ST wrote decides, from Linux 6.3 on', () => {
    const program = [asm.st('dw', 10, -8, 1), asm.ldx('dw', 2, 10, -8), asm.jeq(2, 1, 1), POISON, ...EXIT]
    expect(verdictOf(program, { kernelRelease: '6.12.9' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '6.1.176' })).toBe('unknown') // its stable updates brought that
    expect(verdictOf(program, { kernelRelease: '6.1.0-57-amd64' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '5.9.16' })).toBe('fails')
  })

  it('is fails where the exception callback is poisoned, though the program does not refer to it', () => {
    const local = btf()
    local.declTag('exception_callback:f', local.func('p', local.funcProto(integers(local).int)))
    expect(verdictWith([POISON, ...EXIT], EXIT, {}, local)).toBe('fails')
    expect(verdictWith([POISON, ...EXIT], EXIT)).toBe('loads')
  })

  describe('behind memory that a helper fills', () => {
    /** r1 = r10 + at; r2 = size; bpf_probe_read_kernel(r1, r2, 0) */
    const fill = (at: number, size: number): Uint8Array[] =>
      [asm.movReg(1, 10), asm.add(1, at), asm.mov(2, size), asm.mov(3, 0), asm.call(113)]
    const compare = (size: 'b' | 'h' | 'w' | 'dw', at: number): Uint8Array[] =>
      [asm.ldx(size, 1, 10, at), asm.jeq(1, 0, 1), POISON, ...EXIT]
    const zeroes = [asm.mov(6, 0), asm.stx('dw', 10, 6, -8)]

    it('is fails where the bytes are compared, whatever was there', () => {
      expect(verdictOf([...fill(-8, 8), ...compare('dw', -8)])).toBe('fails')
      expect(verdictOf([...fill(-8, 2), ...compare('h', -8)])).toBe('fails')
      expect(verdictOf([...zeroes, ...fill(-8, 8), ...compare('dw', -8)])).toBe('fails')
      expect(verdictOf([...zeroes, ...fill(-8, 4), ...compare('w', -8)])).toBe('fails')
      expect(verdictOf([asm.mov(6, 0), asm.stx('dw', 10, 6, -16), ...fill(-24, 16), ...compare('dw', -16)])).toBe('fails')
      for (const kernelRelease of ['4.14.0', '5.4.0', '6.1.0-57-amd64']) {
        expect(verdictOf([...fill(-8, 2), ...compare('h', -8)], { kernelRelease })).toBe('fails')
      }
    })

    it('is fails where another helper may have written there before, and no longer unknown', () => {
      /** bpf_map_lookup_elem(r1, r10 - 8) */
      const lookUp = [asm.movReg(2, 10), asm.add(2, -8), asm.mov(1, 0), asm.call(1)]
      for (const kernelRelease of ['5.10.43-android12', '6.1.0-57-amd64', '6.12.117']) {
        expect(verdictOf([...zeroes, ...lookUp, ...fill(-8, 4), ...compare('w', -8)], { kernelRelease })).toBe('fails')
        expect(verdictOf([...zeroes, ...lookUp, ...fill(-8, 4), ...compare('w', -4)], { kernelRelease })).not.toBe('fails')
      }
    })

    it('is loads where another slot is compared', () => {
      expect(verdictOf([...zeroes, ...fill(-16, 8), ...compare('dw', -8)])).toBe('loads')
    })

    it('is unknown where the number of bytes is not known', () => {
      const some = [asm.movReg(1, 10), asm.add(1, -8), RANDOM, asm.alu('AND', 0, 7), asm.movReg(2, 0), asm.movReg(1, 10), asm.add(1, -8)]
      expect(verdictOf([...zeroes, ...some, asm.mov(3, 0), asm.call(113), ...compare('dw', -8)])).toBe('unknown')
    })

    it('is fails where what is compared was read from a packet by the old instructions', () => {
      expect(verdictOf([asm.movReg(6, 1), asm.ldAbs('h', 12), asm.jeq(0, 0x800, 1), POISON, ...EXIT])).toBe('fails')
    })
  })

  it("is fails behind a comparison of the processor's number, and unknown where the verifier knows how many there are", () => {
    const guarded = [asm.call(8), asm.jeq(0, 0, 1), POISON, ...EXIT]
    expect(verdictOf(guarded, { kernelRelease: '6.1.0-57-amd64' })).toBe('fails')
    expect(verdictOf(guarded, { kernelRelease: '6.6.0' })).toBe('unknown')
  })

  it('is fails behind some bits of a number that can be any, for verifiers of every age', () => {
    const masked = (mask: number, other: number) => [RANDOM, asm.alu('AND', 0, mask), asm.jeq(0, other, 1), POISON, ...EXIT]
    for (const kernelRelease of ['5.10.43-android12', '6.1.0-57-amd64', undefined]) {
      expect(verdictOf(masked(0x200000, 0), { kernelRelease })).toBe('fails')
      const isMore = [asm.slot(0x25, 0, 0, 1, 12), asm.ja(1)] // to the poison where r0 is more than 12
      expect(verdictOf([RANDOM, asm.alu('AND', 0, 12), ...isMore, POISON, ...EXIT], { kernelRelease })).toBe('loads')
    }
  })

  it('is fails behind pointers that a tracing program compares again and again', () => {
    const pointers = [asm.ldx('dw', 2, 1, 0), asm.ldx('dw', 3, 1, 8)]
    const different = asm.slot(0x1d, 2, 3, 1) // over one instruction where r2 is r3
    expect(verdictOf([...pointers, different, ...EXIT.slice(0, 1), different, POISON, ...EXIT])).toBe('fails')
  })

  it('is unknown where the steps run out, and no error', () => {
    expect(verdictOf([RANDOM, asm.jeq(0, 5, 1), POISON, ...EXIT], { steps: 1 })).toBe('unknown')
  })
})

// Each was a disagreement with a kernel's verifier once.
describe('the verdict, where it was wrong before', () => {
  it('knows that a 32-bit division leaves all 64 bits unknown', () => {
    // Linux 6.18: w0 %= 87; r0 s>>= 20; the result may be negative.
    const modulo32 = asm.slot(0x94, 0, 0, 0, 87)
    expect(verdictOf([RANDOM, modulo32, asm.alu('ARSH', 0, 20), asm.slot(0x65, 0, 0, 1, -100), POISON, ...EXIT])).not.toBe('loads')
  })

  it('knows that a product with something unknown was not worked out before Linux 6.11', () => {
    const multiply = asm.slot(0x2f, 1, 0)
    const program = [RANDOM, asm.mov(1, 0), multiply, asm.jeq(1, 0, 1), POISON, ...EXIT]
    expect(verdictOf(program, { kernelRelease: '6.1.176' })).not.toBe('loads')
  })

  it('knows that what was negated is no constant before Linux 6.17', () => {
    // Linux 6.1 and random programs: r6 = 100; r6 = -r6; if r7 > r6, where r7 is 0
    const program = [asm.mov(6, 100), asm.slot(0x87, 6), asm.mov(7, 0), asm.slot(0x2d, 7, 6, 2, 0), ...EXIT, POISON, ...EXIT]
    expect(verdictOf(program, { kernelRelease: '6.1.0-57-amd64' })).toBe('fails')
  })

  it('knows that a tail call of a subprogram returns to the caller with any result', () => {
    const subprogram = [asm.call(12), ...EXIT]
    const program = [asm.slot(0x85, 0, 1, 0, -1), asm.jeq(0, 0, 1), POISON, ...EXIT]
    expect(verdictWith(subprogram, program, { kernelRelease: '6.19.0' })).toBe('fails')
    expect(verdictWith(subprogram, program, { kernelRelease: '6.18.44' })).toBe('fails')
    expect(verdictWith(subprogram, program, { kernelRelease: '6.12.117+deb12-amd64' })).toBe('loads')
    expect(verdictWith(subprogram, program, { kernelRelease: '6.17.0' })).toBe('unknown')
  })

  it('knows that a map is compared with null before Linux 6.17, unless an update says otherwise', () => {
    expect(ageOf('6.6.99').decidesMaps).toBe('maybe')
    expect(ageOf('5.10.0-46-amd64').decidesMaps).toBe('no')
    expect(ageOf('6.12.117+deb12-amd64').decidesMaps).toBe('yes')
    expect(ageOf(undefined).sure.decidesMaps).toBe(true)
  })

  it('folds byte swaps as Linux 7.0 and the update 6.18.44 do, and does not guess what other updates brought', () => {
    const program = [asm.mov(1, 2), asm.byteSwap(1, 16), asm.jeq(1, 512, 1), POISON, ...EXIT]
    expect(verdictOf(program, { kernelRelease: '7.0.1' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '6.18.44' })).toBe('loads')
    expect(verdictOf(program, { kernelRelease: '6.18.2' })).toBe('unknown')
    expect(verdictOf(program, { kernelRelease: '6.18.0-50-generic' })).toBe('unknown')
    expect(verdictOf(program, { kernelRelease: '5.4.0' })).toBe('fails')
  })

  it('does not fold byte swaps of a width that no verifier takes, be it no whole byte or millions of them', () => {
    for (const bits of [0, 1, 24, 0x7ffffff8, -16]) {
      expect(verdictOf([asm.mov(1, 2), asm.byteSwap(1, bits), asm.jeq(1, 512, 1), POISON, ...EXIT], { kernelRelease: '7.0.1' })).toBe(
        'unknown'
      )
    }
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAhead } from '../../src/verdict/ahead.js'
import { readFunctions, type Code, type Functions } from '../../src/verdict/code.js'
import { liveRegisters } from '../../src/verdict/liveness.js'
import { parseObject } from '../../src/core/index.js'
import { assembler, poison } from '../support/asm.js'
import { btf } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { buildObject } from '../support/object-builder.js'
import { runs } from '../support/property-runs.js'

const asm = assembler('little')
const NO_PATCHES = { offsets: new Uint32Array(0), before: new Uint8Array(0), after: new Uint8Array(0) }

/** One slot of a function, its jump by the slot that it leads to. */
interface Step {
  readonly kind: 'set' | 'copy' | 'add' | 'branch' | 'jump' | 'call' | 'poison' | 'exit'
  readonly dst: number
  readonly src: number
  readonly to: number
}

const stepOf = (count: number): fc.Arbitrary<Step> => fc.record({
  kind: fc.constantFrom<Step['kind']>('set', 'set', 'copy', 'copy', 'add', 'branch', 'branch', 'branch', 'jump', 'call', 'poison', 'exit'),
  dst: fc.integer({ min: 0, max: 9 }),
  src: fc.integer({ min: 0, max: 9 }),
  to: fc.integer({ min: 0, max: count - 1 })
})

const steps = fc.integer({ min: 1, max: 40 }).chain(count => fc.array(stepOf(count), { minLength: count, maxLength: count }))

function encoded ({ kind, dst, src, to }: Step, index: number): Uint8Array {
  switch (kind) {
    case 'set': return asm.mov(dst, 1)
    case 'copy': return asm.movReg(dst, src)
    case 'add': return asm.add(dst, 1)
    case 'branch': return asm.jeq(dst, 1, to - index - 1)
    case 'jump': return asm.ja(to - index - 1)
    case 'call': return asm.call(7)
    case 'poison': return poison('little')
    case 'exit': return asm.exit()
  }
}

function read (program: readonly Step[]): { readonly code: Code, readonly functions: Functions } {
  const { bytes } = buildObject({
    local: btf(), programs: [{ section: 'kprobe/x', name: 'p', code: concat(...program.map(encoded)) }], records: []
  })
  const object = parseObject(bytes)
  const functions = readFunctions(object, NO_PATCHES)
  const [fn] = object.elf.functions
  if (fn === undefined) throw new Error('the object has a function')
  return { code: functions.codeOf(fn), functions }
}

/** Where control may go from a slot, inside the function. */
function following (program: readonly Step[], index: number): number[] {
  const { kind, to } = program[index] ?? { kind: 'exit', to: 0 }
  const next = index + 1 < program.length ? [index + 1] : []
  if (kind === 'exit') return []
  return kind === 'jump' ? [to] : kind === 'branch' ? [...next, to] : next
}

const CALL_READS = [1, 2, 3, 4, 5]
const CALL_WRITES = [0, ...CALL_READS]

function accesses ({ kind, dst, src }: Step): { readonly reads: readonly number[], readonly writes: readonly number[] } {
  switch (kind) {
    case 'set': return { reads: [], writes: [dst] }
    case 'copy': return { reads: [src], writes: [dst] }
    case 'add': return { reads: [dst], writes: [dst] }
    case 'branch': return { reads: [dst], writes: [] }
    case 'call': case 'poison': return { reads: CALL_READS, writes: CALL_WRITES }
    case 'exit': return { reads: [0], writes: [] }
    case 'jump': return { reads: [], writes: [] }
  }
}

/** Whether a way from a slot leads to one that is wanted, by slots that it may pass. */
function leadsTo (program: readonly Step[], from: number, isWanted: (step: Step) => boolean, mayPass: (step: Step) => boolean): boolean {
  const seen = new Set<number>()
  const pending = [from]
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const step = program[index]
    if (step === undefined || seen.has(index)) continue
    seen.add(index)
    if (isWanted(step)) return true
    if (mayPass(step)) pending.push(...following(program, index))
  }
  return false
}

const REGISTERS = Array.from({ length: 10 }, (_, r) => r)

const registersIn = (live: Uint16Array, index: number): number[] => REGISTERS.filter(r => ((live[index] ?? 0) >> r & 1) === 1)

describe('what follows from the instructions behind one', () => {
  it('is, of poison, whether some way leads there', () => {
    fc.assert(fc.property(steps, program => {
      const { code, functions } = read(program)
      const isAhead = createAhead(functions, {
        isWanted: (_, index) => program[index]?.kind === 'poison', hasWanted: () => false, isCalledBack: () => false
      })
      expect(program.map((_, i) => isAhead(code, i))).toEqual(program.map((_, i) =>
        leadsTo(program, i, ({ kind }) => kind === 'poison', () => true)))
    }), runs())
  })

  it('is, of a register, whether some way reads it before it is written', () => {
    fc.assert(fc.property(steps, program => {
      const { body } = read(program).code
      const live = liveRegisters(body.original(), body.flow())
      expect(program.map((_, i) => registersIn(live, i))).toEqual(program.map((_, i) =>
        REGISTERS.filter(r => leadsTo(program, i, step => accesses(step).reads.includes(r), step => !accesses(step).writes.includes(r)))))
    }), runs())
  })

  it('leaves out of a register, as it is asked for, only what is read where no way leads to poison any more', () => {
    fc.assert(fc.property(steps, program => {
      const { body } = read(program).code
      const [asked, whole] = [body.live(), liveRegisters(body.original(), body.flow())]
      const isAhead = program.map((_, i) => leadsTo(program, i, ({ kind }) => kind === 'poison', () => true))
      const ahead = new Set(program.filter((_, i) => isAhead[i]))
      for (const i of program.keys()) {
        if (!isAhead[i]) continue
        const needed = REGISTERS.filter(r => leadsTo(
          program,
          i,
          step => ahead.has(step) && accesses(step).reads.includes(r),
          step => ahead.has(step) && !accesses(step).writes.includes(r)
        ))
        expect(registersIn(asked, i)).toEqual(expect.arrayContaining(needed))
        expect(registersIn(whole, i)).toEqual(expect.arrayContaining(registersIn(asked, i)))
      }
    }), runs())
  })
})

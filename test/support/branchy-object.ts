import { assembler, poison } from './asm.js'
import { btf } from './btf-builder.js'
import { concat } from './byte-writer.js'
import { buildObject } from './object-builder.js'

export interface BranchyObjectOptions {
  readonly programs: number
  /** Of each program, roughly. */
  readonly instructions: number
  /** Where the guard's number is; a number on the stack takes following every way to the guard. */
  readonly guard?: 'stack' | 'register'
}

/**
 * An object with the programs of a large tracer: thousands of instructions that load, compute, spill and branch, and at the end of
 * each an instruction that was poisoned, behind a guard.
 */
export function branchyObject ({ programs: count, instructions, guard = 'stack' }: BranchyObjectOptions): Uint8Array {
  const asm = assembler('little')
  const blocks = Array.from({ length: Math.ceil(instructions / 9) }, (_, i) => concat(
    asm.ldx((['dw', 'w', 'h', 'b'] as const)[i % 4] ?? 'dw', 1, 6, 8 * (i % 32)),
    asm.alu('LSH', 1, 32),
    asm.alu(i % 3 === 0 ? 'ARSH' : 'AND', 1, i % 3 === 0 ? 32 : 0xff),
    asm.stx('dw', 10, 1, -8 * (1 + i % 30)),
    asm.ldx('dw', 2, 10, -8 * (1 + (i + 7) % 30)),
    asm.addReg(1, 2),
    asm.jeq(2, i % 16, 2),
    asm.add(1, i),
    asm.stx('dw', 6, 1, 0)
  ))
  const stack = Array.from({ length: 30 }, (_, i) => asm.st('dw', 10, -8 * (1 + i), 0))
  const kept = -8 * 31
  const number = guard === 'stack' ? asm.ldx('dw', 0, 10, kept) : asm.mov(0, 0)
  const code = concat(
    asm.movReg(6, 1), asm.st('dw', 10, kept, 0), ...stack, ...blocks,
    number, asm.jeq(0, 0, 1), poison('little'), asm.exit()
  )
  const programs = Array.from({ length: count }, (_, i) => ({ section: `kprobe/${i}`, name: `trace_${i}`, code }))
  return buildObject({ local: btf(), programs, records: [] }).bytes
}

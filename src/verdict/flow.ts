import type { Insn } from '../insn/insn.js'
import { BPF_LD_IMM64, BpfClass, isJumpClass } from '../insn/opcodes.js'
import { JMP } from './compare.js'

/** Where control goes from each instruction of a function. The index behind the last instruction stands for nowhere. */
export interface Flow {
  /** The instruction behind it, where it may be the next. */
  readonly next: Int32Array
  /** The target of its jump. */
  readonly jump: Int32Array
  /** Instructions that jumps lead to. */
  readonly isTarget: Uint8Array
  /** Whether some jump leads back, so that a pass from the end to the start does not see everything. */
  readonly hasLoop: boolean
}

/** @param count of the function's instruction slots */
export function readFlow (count: number, insnAt: (index: number) => Insn | undefined): Flow {
  const next = new Int32Array(count).fill(count)
  const jump = new Int32Array(count).fill(count)
  const isTarget = new Uint8Array(count + 1)
  let hasLoop = false
  for (let i = 0; i < count; i++) {
    const insn = insnAt(i)
    if (insn === undefined) break
    const { code } = insn
    if (!isJumpClass(code)) {
      next[i] = Math.min(count, code === BPF_LD_IMM64 ? i + 2 : i + 1)
      continue
    }
    const operation = code & 0xf0
    if (operation !== JMP.EXIT && operation !== JMP.JA) next[i] = i + 1
    if (operation === JMP.EXIT || operation === JMP.CALL) continue
    const to = targetOf(insn, i)
    const target = to >= 0 && to < count ? to : count // a jump out of the function, which the verifier refuses
    jump[i] = target
    isTarget[target] = 1
    hasLoop ||= target <= i
  }
  return { next, jump, isTarget, hasLoop }
}

/** The jump's target, as an instruction index. The long jump has its distance in the immediate. */
export function targetOf (insn: Insn, index: number): number {
  return index + 1 + (insn.code === (BpfClass.JMP32 | JMP.JA) ? insn.imm : insn.off)
}

/** Passes over a function with loops, before what is asked is taken to hold everywhere. */
const MAX_ROUNDS = 32

/**
 * Visits the instructions from the last to the first, until a pass changes nothing. False where that takes too many.
 *
 * @param visit whether it changed what is known of the instruction
 */
export function backwards ({ next, hasLoop }: Flow, visit: (index: number) => boolean): boolean {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let changed = false
    for (let i = next.length - 1; i >= 0; i--) if (visit(i)) changed = true
    if (!changed || !hasLoop) return true
  }
  return false
}

import { BPF_INSN, type Insn } from '../insn/insn.js'
import { BPF_CALL, BPF_LD_IMM64, BpfClass, isJumpClass } from '../insn/opcodes.js'
import { JMP } from './compare.js'

/** A function's instruction slots, patched. Passes over whole functions read the few bytes of each slot that they need. */
export interface Slots {
  readonly bytes: Uint8Array
  /** Of the same bytes. */
  readonly view: DataView
  readonly littleEndian: boolean
}

/** Where control goes from each instruction of a function. The index behind the last instruction stands for nowhere. */
export interface Flow {
  /** The instruction behind it, where it may be the next. */
  readonly next: Int32Array
  /** The target of its jump. */
  readonly jump: Int32Array
  /** Instructions that jumps lead to. */
  readonly isTarget: Uint8Array
  /** Jumps that lead back, so that a pass from the end to the start does not see everything. Ascending. */
  readonly loops: readonly number[]
  /** Calls, poisoned ones among them, and loads that may be of a function's address. Ascending. */
  readonly references: readonly number[]
}

export function readFlow ({ bytes, view, littleEndian }: Slots): Flow {
  const count = bytes.length / BPF_INSN.SIZE
  const next = new Int32Array(count).fill(count)
  const jump = new Int32Array(count).fill(count)
  const isTarget = new Uint8Array(count + 1)
  const references: number[] = []
  const loops: number[] = []
  for (let i = 0; i < count; i++) {
    const code = bytes[i * BPF_INSN.SIZE] ?? 0
    if (!isJumpClass(code)) {
      const isWide = code === BPF_LD_IMM64
      next[i] = isWide ? Math.min(count, i + 2) : i + 1
      if (isWide) references.push(i)
      continue
    }
    const operation = code & 0xf0
    if (operation !== JMP.EXIT && operation !== JMP.JA) next[i] = i + 1
    if (operation === JMP.EXIT) continue
    if (operation === JMP.CALL) {
      if (code === BPF_CALL) references.push(i)
      continue
    }
    const at = i * BPF_INSN.SIZE
    const distance = isLongJump(code) ? view.getInt32(at + BPF_INSN.imm, littleEndian) : view.getInt16(at + BPF_INSN.off, littleEndian)
    const to = i + 1 + distance
    const target = to >= 0 && to < count ? to : count // a jump out of the function, which the verifier refuses
    jump[i] = target
    isTarget[target] = 1
    if (target <= i) loops.push(i)
  }
  return { next, jump, isTarget, loops, references }
}

/** The jump's target, as an instruction index. */
export function targetOf (insn: Insn, index: number): number {
  return index + 1 + (isLongJump(insn.code) ? insn.imm : insn.off)
}

/** The jump that has its distance in the immediate. */
const isLongJump = (code: number): boolean => code === (BpfClass.JMP32 | JMP.JA)

/** Passes over a function with loops, from its end to its start, before what is asked is taken to hold everywhere. */
const MAX_ROUNDS = 32

/**
 * Works out something of each instruction that follows from the instructions behind it: from the end to the start, and again from the
 * last jump back to something that changed since. False where that takes too many rounds.
 *
 * @param update works it out for one instruction. Whether that changed it
 */
export function passBackwards ({ next, loops }: Flow, update: (index: number) => boolean): boolean {
  let start = next.length - 1
  for (let round = 0; round < MAX_ROUNDS; round++) {
    for (let i = start; i >= 0; i--) update(i)
    const changed = loops.findLast(jump => update(jump))
    if (changed === undefined) return true
    start = changed - 1
  }
  return false
}

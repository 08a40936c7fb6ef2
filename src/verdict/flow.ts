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
  /** The first of the jumps that lead to an instruction; the number of instructions where none does. */
  readonly firstJump: Int32Array
  /** Jumps that lead back, so that a pass from the end to the start does not see everything. Ascending. */
  readonly loops: readonly number[]
  /** Calls, poisoned ones among them, and loads that may be of a function's address. Ascending. */
  readonly references: readonly number[]
}

export function readFlow ({ bytes, view, littleEndian }: Slots): Flow {
  const count = bytes.length / BPF_INSN.SIZE
  const next = new Int32Array(count).fill(count)
  const jump = new Int32Array(count).fill(count)
  const firstJump = new Int32Array(count + 1).fill(count)
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
    if (firstJump[target] === count) firstJump[target] = i
    if (target <= i) loops.push(i)
  }
  return { next, jump, firstJump, loops, references }
}

/** The jump's target, as an instruction index. */
export function targetOf (insn: Insn, index: number): number {
  return index + 1 + (isLongJump(insn.code) ? insn.imm : insn.off)
}

/** The jump that has its distance in the immediate. */
export const isLongJump = (code: number): boolean => code === (BpfClass.JMP32 | JMP.JA)

/** Instructions looked at, beside those of the function, before what is asked is taken to hold everywhere. */
const MOST_LOOKED_AT = 32

/**
 * Works out something of each instruction that follows from the instructions behind it: from the end to the start, and then from each
 * jump back on what changes there. False where that takes too long.
 *
 * @param update works it out for the instructions from `last` down to `first`, and further down for those that lead to one that
 * changed. The number of them that it looked at
 * @param from the instruction to begin with, where those behind it have nothing unless by a jump back
 */
export function passBackwards (
  { next, loops }: Flow, update: (first: number, last: number) => number, from = next.length - 1
): boolean {
  let left = MOST_LOOKED_AT * next.length - update(0, from)
  for (let isOpen = loops.length > 0; isOpen;) {
    isOpen = false
    for (let i = loops.length - 1; i >= 0; i--) {
      const jump = loops[i] ?? 0
      const lookedAt = update(jump, jump)
      if (lookedAt > 1) isOpen = true
      left -= lookedAt
      if (left < 0) return false
    }
  }
  return true
}

/** The lowest index of an instruction that leads to one, of those that are no jumps back: a load of 16 bytes is two before. */
export function firstBefore ({ firstJump }: Flow, index: number): number {
  return Math.max(0, Math.min(index - 2, firstJump[index] ?? index))
}

/** Whether a jump leads to an instruction. */
export function isTarget ({ next, firstJump }: Flow, index: number): boolean { return (firstJump[index] ?? next.length) < next.length }

import { BPF_INSN } from '../insn/insn.js'
import { BPF_CALL, BPF_LD_IMM64, isJumpClass } from '../insn/opcodes.js'
import { isPoison, type Body } from './code.js'
import { mayCallBack } from './helpers.js'

/** Poison of a function to which some of its poison leads without a branch: indices. */
export type NextPoison = (body: Body, from: ReadonlySet<number>) => ReadonlySet<number>

/**
 * Finds poison that control gets to from other poison in any case, once the kernel has a value for that: fields that a kernel does not
 * have are mostly read one after the other.
 */
export function createNextPoison (): NextPoison {
  /** A function may have thousands of names. */
  const known = new Map<Body, Map<number, readonly number[]>>()
  const after = (body: Body, index: number): readonly number[] => {
    let places = known.get(body)
    if (places === undefined) known.set(body, places = new Map())
    let found = places.get(index)
    if (found === undefined) places.set(index, found = follow(body, index))
    return found
  }
  return (body, from) => {
    const found = new Set<number>()
    for (const index of [...from].sort((a, b) => a - b)) {
      if (!found.has(index)) for (const next of after(body, index)) found.add(next)
    }
    return found
  }
}

/** From poison on to where control may go elsewhere. */
function follow (body: Body, from: number): readonly number[] {
  const { bytes } = body.slots
  const found: number[] = []
  for (let i = from; i < body.count;) {
    const opcode = bytes[i * BPF_INSN.SIZE] ?? 0
    const insn = opcode === BPF_CALL ? body.insnAt(i) : undefined
    if (insn !== undefined && isPoison(insn)) {
      if (i > from) found.push(i)
      i += sizeOf(body.original().bytes[i * BPF_INSN.SIZE] ?? 0)
      continue
    }
    // A function may end the program, and a helper that calls one back may do so no time.
    if (isJumpClass(opcode) && (insn === undefined || insn.src !== 0 || mayCallBack(insn))) break
    i += sizeOf(opcode)
  }
  return found
}

/** Slots of an instruction. */
function sizeOf (opcode: number): number { return opcode === BPF_LD_IMM64 ? 2 : 1 }

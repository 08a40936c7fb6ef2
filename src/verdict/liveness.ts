import type { Insn } from '../insn/insn.js'
import { BPF_LD_IMM64, BPF_X, BpfClass, BpfMode, modeOf } from '../insn/opcodes.js'
import { ALU } from './arithmetic.js'
import { JMP } from './compare.js'
import { backwards, type Flow } from './flow.js'

const bit = (register: number): number => 1 << register
const ARGUMENTS = 0b111110
const CALL_WRITES = 0b111111
const ALL = 0x7ff

/**
 * Which of r0 to r10 an instruction may read later, a bit each, before each instruction: states that differ in others are the
 * same.
 *
 * @param count of the function's instruction slots
 */
export function liveRegisters (count: number, insnAt: (index: number) => Insn | undefined, flow: Flow): Uint16Array {
  const { next, jump } = flow
  const reads = new Uint16Array(count)
  const writes = new Uint16Array(count)
  for (let i = 0; i < count; i++) {
    const insn = insnAt(i)
    if (insn === undefined) break
    reads[i] = readsOf(insn)
    writes[i] = writesOf(insn)
  }
  const live = new Uint16Array(count + 1)
  const isSettled = backwards(flow, i => {
    const after = (live[next[i] ?? 0] ?? 0) | (live[jump[i] ?? 0] ?? 0)
    const before = (after & ~(writes[i] ?? 0)) | (reads[i] ?? 0)
    if (before === live[i]) return false
    live[i] = before
    return true
  })
  return isSettled ? live : live.fill(ALL)
}

function readsOf ({ code, dst, src }: Insn): number {
  const operation = code & 0xf0
  switch (code & 0x07) {
    case BpfClass.LD: return code === BPF_LD_IMM64 ? 0 : bit(6) | bit(src)
    case BpfClass.LDX: return bit(src)
    case BpfClass.ST: return bit(dst)
    case BpfClass.STX: return modeOf(code) === BpfMode.ATOMIC ? bit(dst) | bit(src) | bit(0) : bit(dst) | bit(src)
    case BpfClass.ALU: case BpfClass.ALU64: {
      const usesSource = (code & BPF_X) !== 0 && operation !== ALU.END && operation !== ALU.NEG
      return (operation === ALU.MOV ? 0 : bit(dst)) | (usesSource ? bit(src) : 0)
    }
    default:
      if (operation === JMP.CALL) return ARGUMENTS
      if (operation === JMP.EXIT) return bit(0)
      if (operation === JMP.JA || operation === JMP.JCOND) return 0
      return bit(dst) | ((code & BPF_X) !== 0 ? bit(src) : 0)
  }
}

function writesOf ({ code, dst }: Insn): number {
  switch (code & 0x07) {
    case BpfClass.LD: return code === BPF_LD_IMM64 ? bit(dst) : CALL_WRITES
    case BpfClass.LDX: case BpfClass.ALU: case BpfClass.ALU64: return bit(dst)
    case BpfClass.JMP: case BpfClass.JMP32: return (code & 0xf0) === JMP.CALL ? CALL_WRITES : 0
    default: return 0
  }
}

import type { Insn } from '../insn/insn.js'
import { BPF_CALL, BPF_LD_IMM64, BPF_X, BpfClass, classOf } from '../insn/opcodes.js'

const JA = 0x00
const EXIT = 0x90
const CALL = 0x80
const COND = 0xe0
const ALU_MOV = 0xb0
const ALU_NEG = 0x80
const ALU_END = 0xd0
const MODE_ATOMIC = 0xc0
const bit = (register: number): number => 1 << register
const ARGUMENTS = 0b111110
const CALL_WRITES = 0b111111

/**
 * Which of r0 to r10 an instruction may read later, a bit each, before each instruction: states that differ in others are the
 * same. A backward pass until nothing changes, which loops need a few of.
 */
export function liveRegisters (insns: readonly Insn[]): Uint16Array {
  const live = new Uint16Array(insns.length + 1)
  for (let round = 0, changed = true; changed && round < 32; round++) {
    changed = false
    for (let i = insns.length - 1; i >= 0; i--) {
      const insn = insns[i]
      if (insn === undefined) continue
      const { reads, writes } = effectsOf(insn)
      const after = successorsOf(insn, i).reduce((mask, next) => mask | (live[next] ?? 0), 0)
      const before = (after & ~writes) | reads
      if (before !== live[i]) {
        live[i] = before
        changed = true
      }
    }
    if (changed && round === 31) live.fill(0x7ff)
  }
  return live
}

function successorsOf (insn: Insn, index: number): number[] {
  const kind = classOf(insn.code)
  if (insn.code === BPF_LD_IMM64) return [index + 2]
  if (kind !== BpfClass.JMP && kind !== BpfClass.JMP32) return [index + 1]
  const operation = insn.code & 0xf0
  if (operation === EXIT) return []
  if (operation === CALL) return [index + 1]
  const target = index + 1 + (kind === BpfClass.JMP32 && operation === JA ? insn.imm : insn.off)
  return operation === JA ? [target] : [index + 1, target]
}

function effectsOf (insn: Insn): { reads: number, writes: number } {
  const { code, dst, src } = insn
  switch (classOf(code)) {
    case BpfClass.LD: return code === BPF_LD_IMM64 ? { reads: 0, writes: bit(dst) } : { reads: bit(6) | bit(src), writes: CALL_WRITES }
    case BpfClass.LDX: return { reads: bit(src), writes: bit(dst) }
    case BpfClass.ST: return { reads: bit(dst), writes: 0 }
    case BpfClass.STX: return (code & 0xe0) === MODE_ATOMIC ? { reads: bit(dst) | bit(src) | bit(0), writes: 0 } : { reads: bit(dst) | bit(src), writes: 0 }
    case BpfClass.ALU: case BpfClass.ALU64: {
      const operation = code & 0xf0
      const usesSource = (code & BPF_X) !== 0 && operation !== ALU_END && operation !== ALU_NEG
      return { reads: (operation === ALU_MOV ? 0 : bit(dst)) | (usesSource ? bit(src) : 0), writes: bit(dst) }
    }
    default: {
      const operation = code & 0xf0
      if (code === BPF_CALL || operation === CALL) return { reads: ARGUMENTS, writes: CALL_WRITES }
      if (operation === EXIT) return { reads: bit(0), writes: 0 }
      if (operation === JA || operation === COND) return { reads: 0, writes: 0 }
      return { reads: bit(dst) | ((code & BPF_X) !== 0 ? bit(src) : 0), writes: 0 }
    }
  }
}

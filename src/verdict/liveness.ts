import { BPF_INSN } from '../insn/insn.js'
import { BPF_LD_IMM64, BPF_X, BpfClass, BpfMode, modeOf } from '../insn/opcodes.js'
import { ALU } from './arithmetic.js'
import { JMP } from './compare.js'
import { firstBefore, passBackwards, type Flow, type Slots } from './flow.js'

const bit = (register: number): number => 1 << register
const ARGUMENTS = 0b111110
const CALL_WRITES = 0b111111
const ALL = 0x7ff

/** In what opcodes read and write: the register that the instruction names. */
const DST = 1 << 11
const SRC = 1 << 12

/**
 * Which of r0 to r10 an instruction may read later, a bit each, before each instruction: states that differ in others are the
 * same.
 *
 * @param slots which may have a load of 16 bytes where the flow was read of something else
 * @param last the last instruction that counts, unless one behind it leads back: what others read does not matter
 */
export function liveRegisters (slots: Slots, flow: Flow, last = flow.next.length - 1): Uint16Array {
  const live = new Uint16Array(flow.next.length + 1)
  const end = lastLeadingTo(flow, last)
  const loops = flow.loops.filter(jump => jump <= end)
  const isSettled = passBackwards({ ...flow, loops }, (first, from) => updateLive(live, slots, flow, first, from), end)
  return isSettled ? live : live.fill(ALL)
}

/** The last instruction, or jump back, that leads to one up to `last`, directly or by another. */
function lastLeadingTo ({ loops, jump }: Flow, last: number): number {
  let end = last
  for (let i = loops.length - 1; i >= 0; i--) {
    const from = loops[i] ?? 0
    if (from > end && (jump[from] ?? 0) <= end) {
      end = from
      i = loops.length
    }
  }
  return end
}

/** One loop, since functions of thousands of instructions are passed before the code of a callback would be fast. */
function updateLive (live: Uint16Array, { bytes, littleEndian }: Slots, flow: Flow, from: number, last: number): number {
  const { next, jump } = flow
  const count = next.length
  let first = from
  let i = last
  for (; i >= first; i--) {
    const code = bytes[i * BPF_INSN.SIZE] ?? 0
    const registers = bytes[i * BPF_INSN.SIZE + BPF_INSN.regs] ?? 0
    const dst = bit(littleEndian ? registers & 0xf : registers >> 4)
    const src = bit(littleEndian ? registers >> 4 : registers & 0xf)
    const reads = READS[code] ?? 0
    const writes = WRITES[code] ?? 0
    const following = code === BPF_LD_IMM64 ? Math.min(count, i + 2) : next[i] ?? 0
    const after = (live[following] ?? 0) | (live[jump[i] ?? 0] ?? 0)
    const before = (after & ~((writes & ALL) | ((writes & DST) !== 0 ? dst : 0))) |
      (reads & ALL) | ((reads & DST) !== 0 ? dst : 0) | ((reads & SRC) !== 0 ? src : 0)
    if (before === live[i]) continue
    live[i] = before
    if (first > 0) first = Math.min(first, firstBefore(flow, i))
  }
  return last - i
}

function readsOf (code: number): number {
  const operation = code & 0xf0
  switch (code & 0x07) {
    case BpfClass.LD: return code === BPF_LD_IMM64 ? 0 : bit(6) | SRC
    case BpfClass.LDX: return SRC
    case BpfClass.ST: return DST
    case BpfClass.STX: return modeOf(code) === BpfMode.ATOMIC ? DST | SRC | bit(0) : DST | SRC
    case BpfClass.ALU: case BpfClass.ALU64: {
      const usesSource = (code & BPF_X) !== 0 && operation !== ALU.END && operation !== ALU.NEG
      return (operation === ALU.MOV ? 0 : DST) | (usesSource ? SRC : 0)
    }
    default:
      if (operation === JMP.CALL) return ARGUMENTS
      if (operation === JMP.EXIT) return bit(0)
      if (operation === JMP.JA || operation === JMP.JCOND) return 0
      return DST | ((code & BPF_X) !== 0 ? SRC : 0)
  }
}

function writesOf (code: number): number {
  switch (code & 0x07) {
    case BpfClass.LD: return code === BPF_LD_IMM64 ? DST : CALL_WRITES
    case BpfClass.LDX: case BpfClass.ALU: case BpfClass.ALU64: return DST
    case BpfClass.JMP: case BpfClass.JMP32: return (code & 0xf0) === JMP.CALL ? CALL_WRITES : 0
    default: return 0
  }
}

const byOpcode = (of: (code: number) => number): Uint16Array => Uint16Array.from({ length: 256 }, (_, code) => of(code))
const READS = byOpcode(readsOf)
const WRITES = byOpcode(writesOf)

import { POISON_IMM } from '../core/patch.js'
import { BPF_INSN } from '../insn/insn.js'
import { BPF_CALL, BPF_X, BpfClass, BpfMode, classOf, modeOf } from '../insn/opcodes.js'
import { ALU } from './arithmetic.js'
import { NOT_KNOWN, REGISTERS, type Arrivals, type Registers } from './arrivals.js'
import type { Slots } from './flow.js'
import { mayCallBack, mayGiveNull } from './helpers.js'

/** What an instruction does that takes little to pass, by its opcode. */
const PLAIN = { OTHER: 0, NOTHING: 1, LOADS: 2, COMPUTES: 3, MOVES: 4, SETS: 5, CALLS: 6 } as const

const PLAINNESS = Uint8Array.from({ length: 256 }, (_, opcode) => {
  switch (classOf(opcode)) {
    case BpfClass.LDX: return PLAIN.LOADS
    case BpfClass.ST: return PLAIN.NOTHING
    case BpfClass.STX: return modeOf(opcode) === BpfMode.ATOMIC ? PLAIN.OTHER : PLAIN.NOTHING
    case BpfClass.ALU: case BpfClass.ALU64:
      if ((opcode & 0xf0) !== ALU.MOV) return PLAIN.COMPUTES
      if ((opcode & BPF_X) === 0) return PLAIN.SETS
      return classOf(opcode) === BpfClass.ALU64 ? PLAIN.MOVES : PLAIN.OTHER
    default: return opcode === BPF_CALL ? PLAIN.CALLS : PLAIN.OTHER
  }
})

/**
 * Passes instructions from one on, up to the first that takes more or to which a jump leads; returns its index. Most instructions do
 * nothing with what is known. Small, since V8 compiles it anew until it has seen all of it, and reads of each instruction only what it
 * needs: to make an object of one costs more than to pass it.
 */
export function passPlain ({ bytes, view, littleEndian }: Slots, registers: Registers, { places, count }: Arrivals, from: number): number {
  for (let i = from; i < count; i++) {
    if (i > from && (places[i] ?? 0) !== 0) return i
    const at = i * BPF_INSN.SIZE
    const named = bytes[at + BPF_INSN.regs] ?? 0
    const dst = littleEndian ? named & 0xf : named >> 4
    const src = littleEndian ? named >> 4 : named & 0xf
    switch (PLAINNESS[bytes[at] ?? 0]) {
      case PLAIN.NOTHING: break
      case PLAIN.LOADS:
        if (held(registers, src) < NOT_KNOWN) return i
        put(registers, dst, NOT_KNOWN)
        break
      case PLAIN.COMPUTES:
        if (held(registers, dst) !== NOT_KNOWN) return i
        break
      case PLAIN.MOVES:
        if (view.getInt16(at + BPF_INSN.off, littleEndian) !== 0) return i
        put(registers, dst, held(registers, src))
        break
      case PLAIN.SETS:
        if (view.getInt16(at + BPF_INSN.off, littleEndian) !== 0) return i
        put(registers, dst, Math.max(NOT_KNOWN, view.getInt32(at + BPF_INSN.imm, littleEndian)))
        break
      case PLAIN.CALLS: {
        const helper = view.getInt32(at + BPF_INSN.imm, littleEndian)
        if (src !== 0 || helper === POISON_IMM || mayGiveNull(helper) || mayCallBack({ src, imm: helper })) return i
        registers.fill(NOT_KNOWN, 0, 6)
        break
      }
      default: return i
    }
  }
  return count
}

const held = (registers: Registers, register: number): number => registers[register] ?? NOT_KNOWN

function put (registers: Registers, register: number, value: number): void {
  if (register < REGISTERS) registers[register] = value
}

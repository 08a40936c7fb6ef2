/**
 * Parts of a BPF opcode, by their names in linux/bpf_common.h and linux/bpf.h.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9669
 */
export const BpfClass = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const

/** Bit of ALU and JMP opcodes: the second operand is a register (X) instead of the immediate (K). */
export const BPF_X = 0x08

/** Size bits of loads and stores. */
const BpfSize = { W: 0x00, H: 0x08, B: 0x10, DW: 0x18 } as const

/** Loads a 64-bit immediate; takes two slots, of which the second holds the high half. */
export const BPF_LD_IMM64 = 0x18

/** Mode bits of loads and stores. */
export const BpfMode = { MEMSX: 0x80, ATOMIC: 0xc0 } as const

/** JMP | CALL. */
export const BPF_CALL = 0x85

/** src register of a call that goes to a function of the object itself, not to a helper. */
const BPF_PSEUDO_CALL = 1

/** Whether the instruction calls a function of the same object. */
export function isSubprogramCall (insn: { readonly code: number, readonly src: number }): boolean {
  return insn.code === BPF_CALL && insn.src === BPF_PSEUDO_CALL
}

/** Whether the instruction calls anything: also what a register holds, which is an opcode of its own. */
export function isCall (insn: { readonly code: number }): boolean {
  return insn.code === BPF_CALL || insn.code === (BPF_CALL | BPF_X)
}

export function classOf (opcode: number): number { return opcode & 0x07 }

/** Jumps, calls and exits. */
export function isJumpClass (opcode: number): boolean {
  return classOf(opcode) === BpfClass.JMP || classOf(opcode) === BpfClass.JMP32
}

/** What kind of load or store the opcode is, to compare with `BpfMode`. */
export function modeOf (opcode: number): number { return opcode & 0xe0 }

/** Bytes that a load or store of this opcode accesses. */
export function accessSize (opcode: number): 1 | 2 | 4 | 8 {
  switch (opcode & 0x18) {
    case BpfSize.DW: return 8
    case BpfSize.W: return 4
    case BpfSize.H: return 2
    default: return 1
  }
}

/** Size bits for an access of so many bytes, or undefined where no instruction accesses so many. */
export function sizeBits (bytes: number): number | undefined {
  switch (bytes) {
    case 8: return BpfSize.DW
    case 4: return BpfSize.W
    case 2: return BpfSize.H
    case 1: return BpfSize.B
    default: return undefined
  }
}

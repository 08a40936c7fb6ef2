import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { accessSize, BPF_LD_IMM64, BpfClass, classOf, isCall } from '../insn/opcodes.js'
import { ALU } from './arithmetic.js'
import { clobberAll, operand } from './run.js'
import { ofSize, UNKNOWN } from './scalar.js'
import { topFrame, type State } from './state.js'
import { UNCLEAR, type Value } from './value.js'

/** Goes on behind poison as if the kernel had a value there, of which nothing is known. */
export function passPoison (state: State): void {
  const { code, registers } = topFrame(state)
  const { view, littleEndian } = code.body.original()
  const original = readInsn(view, state.pc * BPF_INSN.SIZE, littleEndian)
  if (isCall(original)) { // poison that the object came with
    registers[0] = UNCLEAR
    for (let r = 1; r <= 5; r++) registers[r] = undefined
  } else {
    const kind = classOf(original.code)
    if (kind === BpfClass.ST || kind === BpfClass.STX) clobberAll(state)
    else if (original.dst < 10) registers[original.dst] = resultOf(state, original)
  }
  state.pc += original.code === BPF_LD_IMM64 ? 2 : 1
}

function resultOf (state: State, { code, dst, src }: Insn): Value {
  switch (classOf(code)) {
    case BpfClass.LDX: {
      const size = accessSize(code)
      const base = operand(state, src)
      return size === 8 && (base?.kind !== 'pointer' || base.deep) ? UNCLEAR : ofSize(size)
    }
    case BpfClass.LD: return UNKNOWN
    // An offset that is added to a pointer leaves a pointer.
    default: return (code & 0xf0) === ALU.MOV || operand(state, dst)?.kind === 'scalar' ? UNKNOWN : UNCLEAR
  }
}

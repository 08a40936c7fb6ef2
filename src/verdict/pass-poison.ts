import type { ElfFunction } from '../elf/functions.js'
import { dataView } from '../bytes/checked.js'
import { BPF_INSN, type Insn } from '../insn/insn.js'
import { accessSize, BPF_LD_IMM64, BpfClass, classOf, isCall } from '../insn/opcodes.js'
import { ALU } from './arithmetic.js'
import { isPoison, once, type Body, type Code, type Functions } from './code.js'
import { liveRegisters } from './liveness.js'
import { clobberAll, operand } from './run.js'
import { ofSize, UNKNOWN } from './scalar.js'
import { topFrame, type State } from './state.js'
import { UNCLEAR, type Value } from './value.js'

/** The same functions for those who go on behind poison: what is read there is read. */
export function functionsBehindPoison (functions: Functions): Functions {
  const bodies = new Map<Body, Body>()
  const codes = new Map<ElfFunction, Code>()
  const bodyOf = (body: Body): Body => {
    let found = bodies.get(body)
    if (found === undefined) bodies.set(body, found = { ...body, live: once(() => liveBehindPoison(body)) })
    return found
  }
  return {
    ...functions,
    codeOf (fn) {
      let code = codes.get(fn)
      if (code === undefined) codes.set(fn, code = { fn, body: bodyOf(functions.codeOf(fn).body) })
      return code
    }
  }
}

function liveBehindPoison ({ count, slots, insnAt, originalBytes, flow }: Body): Uint16Array {
  const bytes = slots.bytes.slice()
  const original = originalBytes()
  for (let i = 0; i < count; i++) {
    const insn = insnAt(i)
    if (insn === undefined || !isPoison(insn)) continue
    bytes.set(original.subarray(i * BPF_INSN.SIZE, (i + 1) * BPF_INSN.SIZE), i * BPF_INSN.SIZE)
  }
  return liveRegisters({ ...slots, bytes, view: dataView(bytes) }, flow())
}

/** Goes on behind poison as if the kernel had a value there, of which nothing is known. */
export function passPoison (state: State): void {
  const { code, registers } = topFrame(state)
  const original = code.body.originalAt(state.pc)
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

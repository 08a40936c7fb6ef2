import type { ElfFunction } from '../elf/functions.js'
import { BPF_CALL } from '../insn/opcodes.js'
import { isReference, type Body, type Code, type Functions } from './code.js'
import { firstBefore, passBackwards, type Flow } from './flow.js'
import { mayCallBack } from './helpers.js'

/** Whether an instruction, as jumps are drawn, leads to poison within its function or in one that is called on the way. */
export type IsAhead = (code: Code, index: number) => boolean

/** The poison that is asked for. */
export interface Wanted {
  readonly isWanted: (code: Code, index: number) => boolean
  /** Whether there is some in the function, or in those that it calls or takes the address of. */
  readonly hasWanted: (fn: ElfFunction) => boolean
  /** Whether there is some in a function that may be called back. */
  readonly isCalledBack: () => boolean
}

/** Looks at a function when it is first asked about it. */
export function createAhead (functions: Functions, wanted: Wanted): IsAhead {
  const ahead = new Map<Body, Uint8Array>()
  let asked: Body | undefined
  let flags: Uint8Array = new Uint8Array()
  return (code, index) => {
    if (code.body !== asked) {
      asked = code.body
      let known = ahead.get(asked)
      if (known === undefined) ahead.set(asked, known = flagsOf(code, functions, wanted))
      flags = known
    }
    return flags[index] === 1
  }
}

function flagsOf (code: Code, functions: Functions, { isWanted, hasWanted, isCalledBack }: Wanted): Uint8Array {
  const { body } = code
  const flow = body.flow()
  const { references } = flow
  const flags = new Uint8Array(body.count + 1)
  for (const i of references) {
    const insn = body.insnAt(i)
    if (insn === undefined) continue
    const callee = isReference(insn) ? functions.callee(code, i) : undefined
    const leadsElsewhere = (): boolean =>
      callee === undefined ? insn.code === BPF_CALL && mayCallBack(insn) && isCalledBack() : hasWanted(callee)
    if (isWanted(code, i) || leadsElsewhere()) flags[i] = 1
  }
  const isSettled = passBackwards(flow, (first, last) => updateFlags(flags, flow, first, last))
  return isSettled ? flags : flags.fill(1)
}

function updateFlags (flags: Uint8Array, flow: Flow, from: number, last: number): number {
  const { next, jump } = flow
  let first = from
  let i = last
  for (; i >= first; i--) {
    if (flags[i] === 1 || (flags[next[i] ?? 0] !== 1 && flags[jump[i] ?? 0] !== 1)) continue
    flags[i] = 1
    if (first > 0) first = Math.min(first, firstBefore(flow, i))
  }
  return last - i
}

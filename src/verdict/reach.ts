import { kindOf, nameOf, referencedType, typeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import { BPF_CALL, BPF_LD_IMM64, BpfClass, classOf, isSubprogramCall } from '../insn/opcodes.js'
import { isConditional, isJump, isPoison, targetOf, withoutAliases, type Code, type Functions } from './code.js'
import { JMP } from './compare.js'
import { CALLBACKS } from './helpers.js'

/** Which functions belong to which program, as libbpf puts them together. */
export interface CallGraph {
  /** Functions that are loaded by themselves: all but those of `.text`, unless there is but one. */
  readonly programs: readonly ElfFunction[]
  /** The function and all that it calls or takes the address of, directly or not. */
  readonly reachedFrom: (code: Code) => ReadonlySet<Code>
  /** Whether an instruction, as jumps are drawn, leads to poison within its function or in one that is called on the way. */
  readonly isPoisonAhead: (code: Code, index: number) => boolean
  /** Functions that a declaration tag names as the program's exception callback. */
  readonly exceptionCallbacks: (fn: ElfFunction) => readonly Code[]
}

export function callGraph (object: BpfObject, functions: Functions): CallGraph {
  const { elf: { functions: all } } = object
  const programs = all.filter(({ section }) => section.name !== '.text' || all.length === 1)
  const closures = new Map<Code, ReadonlySet<Code>>()
  const ahead = new Map<Code['insns'], Uint8Array>()
  const callees = new Map<Code['insns'], readonly Code[]>()
  const exceptions = exceptionTags(object)

  const calleesOf = (code: Code): readonly Code[] => {
    const known = callees.get(code.insns) ?? findCallees(code, functions)
    callees.set(code.insns, known)
    return known
  }
  const reachedFrom = (code: Code): ReadonlySet<Code> => {
    const known = closures.get(code)
    if (known !== undefined) return known
    const found = new Set([code])
    for (const member of found) for (const callee of calleesOf(member)) found.add(callee)
    closures.set(code, found)
    return found
  }
  let poisonedCallback: boolean | undefined
  const hasPoisonedCallback = (): boolean => {
    poisonedCallback ??= withoutAliases(all.map(functions.codeOf)).some(code => code.insns.some((insn, i) => {
      const callee = insn.code === BPF_LD_IMM64 ? functions.callee(code, i) : undefined
      return callee !== undefined && hasPoison(callee)
    }))
    return poisonedCallback
  }
  const hasPoison = (code: Code): boolean => [...reachedFrom(code)].some(member => member.hasPoison)

  return {
    programs,
    reachedFrom,
    isPoisonAhead: (code, index) => {
      let flags = ahead.get(code.insns)
      if (flags === undefined) {
        flags = poisonAhead(code, functions, hasPoison, hasPoisonedCallback)
        ahead.set(code.insns, flags)
      }
      return flags[index] === 1
    },
    exceptionCallbacks: fn => {
      const name = exceptions.get(fn.name)
      const callback = name === undefined ? undefined : all.find(other => other.name === name)
      return callback === undefined ? [] : [functions.codeOf(callback)]
    }
  }
}

function findCallees (code: Code, functions: Functions): Code[] {
  return code.insns.flatMap((insn, i) => isSubprogramCall(insn) || insn.code === BPF_LD_IMM64 ? functions.callee(code, i) ?? [] : [])
}

function poisonAhead (code: Code, functions: Functions, hasPoison: (code: Code) => boolean, hasPoisonedCallback: () => boolean): Uint8Array {
  const flags = new Uint8Array(code.insns.length + 1)
  for (let round = 0, changed = true; changed && round < 32; round++) {
    changed = false
    for (let i = code.insns.length - 1; i >= 0; i--) {
      const insn = code.insns[i]
      if (insn === undefined || flags[i] === 1) continue
      const callee = isSubprogramCall(insn) || insn.code === BPF_LD_IMM64 ? functions.callee(code, i) : undefined
      const isHere = isPoison(insn) || (callee === undefined ? callsBack(insn) && hasPoisonedCallback() : hasPoison(callee))
      if (isHere || successors(insn, i).some(next => flags[next] === 1)) {
        flags[i] = 1
        changed = true
      }
    }
    if (changed && round === 31) flags.fill(1)
  }
  return flags
}

/** Whether a function of the object may be called by it: a helper that calls back, or a kernel function. */
function callsBack (insn: Code['insns'][number]): boolean {
  return insn.code === BPF_CALL && (insn.src !== 0 || CALLBACKS.has(insn.imm))
}

function successors (insn: Code['insns'][number], index: number): number[] {
  if (isConditional(insn)) return [index + 1, targetOf(insn, index)]
  if (isJump(insn)) return [targetOf(insn, index)]
  if (insn.code === BPF_LD_IMM64) return [index + 2]
  return classOf(insn.code) === BpfClass.JMP && (insn.code & 0xf0) === JMP.EXIT ? [] : [index + 1]
}

const EXCEPTION_TAG = 'exception_callback:'

function exceptionTags ({ btf }: BpfObject): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.DECL_TAG || !nameOf(btf, id).startsWith(EXCEPTION_TAG)) continue
    tags.set(nameOf(btf, referencedType(btf, id)), nameOf(btf, id).slice(EXCEPTION_TAG.length))
  }
  return tags
}

import type { BpfObject } from '../core/object.js'
import { findFunction } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import { readSymbols, symbolIndices, type ElfSymbol } from '../elf/symbols.js'
import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_CALL, BPF_LD_IMM64, BPF_X, BpfClass, classOf } from '../insn/opcodes.js'
import { JMP } from './compare.js'
import { liveRegisters } from './liveness.js'

/** libbpf's mark on an instruction without a value: a call of this helper, which does not exist. */
export const POISON_IMM = 195_896_080

const STB_LOCAL = 0
const STV_INTERNAL = 1
const STV_HIDDEN = 2

/** The source register of calls and 64-bit loads, which says what the immediate means. */
export const PSEUDO = { CALL: 1, KFUNC_CALL: 2, MAP_VALUE: 2, FUNC: 4 } as const

/** A function's instructions, ready to be interpreted. */
export interface Code extends Body {
  readonly fn: ElfFunction
  /** Whether the kernel verifies it by itself. */
  readonly isGlobal: boolean
}

/** What all names of one function have in common. */
interface Body {
  /** The same list for each name, by which what follows from the instructions can be kept. */
  readonly insns: readonly Insn[]
  /** Symbols that instructions refer to, by index of the instruction. */
  readonly symbols: ReadonlyMap<number, ElfSymbol>
  /** Instructions that jumps lead to. */
  readonly isTarget: Uint8Array
  /** Registers that are read later, a bit each, before each instruction. */
  readonly live: Uint16Array
  readonly hasPoison: boolean
}

/** The functions of an object with patched instructions. */
export interface Functions {
  readonly codeOf: (fn: ElfFunction) => Code
  /** The function of `.text` that a call or a function pointer means; undefined where there is none. */
  readonly callee: (code: Code, index: number) => Code | undefined
}

/** One of each function that has several names: the first. */
export function withoutAliases (codes: readonly Code[]): readonly Code[] {
  const seen = new Set<Code['insns']>()
  return codes.filter(({ insns }) => seen.size < seen.add(insns).size)
}

export function isPoison (insn: Insn): boolean { return insn.code === BPF_CALL && insn.imm === POISON_IMM && insn.src === 0 }

export function isJump (insn: Insn): boolean {
  const kind = classOf(insn.code)
  if (kind !== BpfClass.JMP && kind !== BpfClass.JMP32) return false
  const operation = insn.code & 0xf0
  return operation !== JMP.CALL && operation !== JMP.EXIT
}

/** The jump's target, as an instruction index. The long jump has its distance in the immediate. */
export function targetOf (insn: Insn, index: number): number {
  return index + 1 + (insn.code === (BpfClass.JMP32 | JMP.JA) ? insn.imm : insn.off)
}

export function isConditional (insn: Insn): boolean { return isJump(insn) && (insn.code & 0xf0) !== JMP.JA }

/** @param bytes the object's bytes with the patches in them */
export function readFunctions (object: BpfObject, bytes: Uint8Array): Functions {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const symbols = readSymbols(object.elf)
  const text = object.elf.sections.find(section => section.name === '.text')
  const tables = new Map<number, ReadonlyMap<number, number>>()
  const codes = new Map<ElfFunction, Code>()
  /** By place: a file has room for 60,000 names of one function. */
  const bodies = new Map<string, Body>()
  const bindings = new Map<string, ElfSymbol>()
  for (const symbol of symbols) {
    const key = `${symbol.sectionIndex} ${symbol.value} ${symbol.name}`
    if (!bindings.has(key)) bindings.set(key, symbol)
  }

  const symbolsOf = (fn: ElfFunction): ReadonlyMap<number, ElfSymbol> => {
    let table = tables.get(fn.section.index)
    if (table === undefined) {
      table = symbolIndices(object.elf, fn.section)
      tables.set(fn.section.index, table)
    }
    const found = new Map<number, ElfSymbol>()
    if (table.size === 0) return found
    for (let at = fn.start; at < fn.start + fn.size; at += BPF_INSN.SIZE) {
      const index = table.get(at)
      const symbol = index === undefined ? undefined : symbols[index]
      if (symbol !== undefined) found.set((at - fn.start) / BPF_INSN.SIZE, symbol)
    }
    return found
  }

  const bodyOf = (fn: ElfFunction): Body => {
    const key = `${fn.section.index} ${fn.start} ${fn.size}`
    const known = bodies.get(key)
    if (known !== undefined) return known
    const insns = Array.from({ length: fn.size / BPF_INSN.SIZE }, (_, i) => readInsn(view, fn.section.offset + fn.start + i * BPF_INSN.SIZE, object.elf.littleEndian))
    const isTarget = new Uint8Array(insns.length)
    insns.forEach((insn, i) => { if (isJump(insn)) isTarget[targetOf(insn, i)] = 1 })
    const body = { insns, symbols: symbolsOf(fn), isTarget, live: liveRegisters(insns), hasPoison: insns.some(isPoison) }
    bodies.set(key, body)
    return body
  }

  const codeOf = (fn: ElfFunction): Code => {
    const known = codes.get(fn)
    if (known !== undefined) return known
    const symbol = bindings.get(`${fn.section.index} ${fn.start} ${fn.name}`)
    const isGlobal = symbol !== undefined && symbol.binding !== STB_LOCAL && symbol.visibility !== STV_HIDDEN && symbol.visibility !== STV_INTERNAL
    const code = { fn, ...bodyOf(fn), isGlobal }
    codes.set(fn, code)
    return code
  }

  const callee = (code: Code, index: number): Code | undefined => {
    const insn = code.insns[index]
    if (insn === undefined || text === undefined) return undefined
    const symbol = code.symbols.get(index)
    const isLoad = insn.code === BPF_LD_IMM64
    let offset: number
    if (symbol !== undefined) {
      if (symbol.sectionIndex !== text.index) return undefined
      offset = symbol.value + (isLoad ? insn.imm : (insn.imm + 1) * BPF_INSN.SIZE)
    } else {
      if (isLoad) return undefined
      offset = code.fn.start + (index + 1 + insn.imm) * BPF_INSN.SIZE
    }
    const fn = findFunction(object.elf, text.index, offset)
    return fn !== undefined && fn.start === offset ? codeOf(fn) : undefined
  }
  return { codeOf, callee }
}

/** Whether the second operand is a register. */
export function usesRegister (insn: Insn): boolean { return (insn.code & BPF_X) !== 0 }

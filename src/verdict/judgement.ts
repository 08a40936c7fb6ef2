import type { ElfFunction } from '../elf/functions.js'

/**
 * Whether the kernel's verifier will take a program as far as relocation goes: `loads` when it cannot get to a poisoned
 * instruction, `fails` when it must, `unknown` when neither could be shown.
 */
export type Verdict = 'loads' | 'fails' | 'unknown'

/** What is known about the kernel and about the values that user space sets before it loads the object. */
export interface JudgeOptions {
  /** `uname -r`. Undefined: the newest verifier is taken, and LINUX_KERNEL_VERSION is not known. */
  readonly kernelRelease?: string | undefined
  /**
   * Values of `.rodata` variables and `.kconfig` externs in place of those in the object, by the names that `assumes` has: `enabled`,
   * `CFG.limits[2]`, `CFG+18`.
   */
  readonly assume?: ReadonlyMap<string, bigint> | undefined
  /** Whether the kernel has a function or variable of this name. Undefined, or an answer of undefined: not known. */
  readonly hasKernelSymbol?: ((name: string) => boolean | undefined) | undefined
  /** Instructions that may be interpreted for the whole object before the verdict is `unknown`. */
  readonly steps?: number | undefined
}

/** The verdict about one function of the object. */
export interface ProgramVerdict {
  readonly fn: ElfFunction
  readonly name: string
  readonly section: string
  /** Of a subprogram: about its instructions, in all programs that libbpf loads by itself. */
  readonly verdict: Verdict
  /** A sentence; null where the verdict is `loads`. */
  readonly reason: string | null
  /** What the verdict rests on beyond the object and the kernel: `.rodata.enabled = 0`. Sorted. */
  readonly assumes: readonly string[]
}

/** The verdict about an object on one kernel. */
export interface Judgement {
  /** Of the programs that libbpf loads by itself: the worst. Those of `?` sections have their own verdicts only. */
  readonly verdict: Verdict
  /** Those of the programs that libbpf loads by itself, together. Sorted. */
  readonly assumes: readonly string[]
  /** Whether another release of the kernel, or other assumptions, could change anything of it: nothing is poisoned where not. */
  readonly isOfRelease: boolean
  /** A verdict for each function, in the object's order. */
  readonly programs: readonly ProgramVerdict[]
  /**
   * Whether a program can get to the poisoned instruction at `insnOff` (bytes from the start of the section, as in a record).
   * Null where that is not known, and where the instruction is not poisoned.
   */
  readonly isReachable: (section: string, insnOff: number) => boolean | null
  /**
   * Whether a poisoned instruction that no program gets to is out of reach only because the verifier stops at poison before it: once
   * the kernel has a value there, it is reached. Null where that is not known.
   */
  readonly isBehindPoison: (section: string, insnOff: number) => boolean | null
}

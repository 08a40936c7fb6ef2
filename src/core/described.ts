import type { SourceLine } from '../btf/line-info.js'

/** What reports and inspections say alike of a program. */
export interface DescribedProgram {
  readonly name: string
  readonly section: string
  /** Null, or why this program needs BTF in the running kernel whatever is relocated. */
  readonly needs_kernel_btf: string | null
  /** Number of relocations in it. */
  readonly relocations: number
}

/** What reports and inspections say alike of a CO-RE record: where it is and what it asks for, in the words of the source. */
export interface DescribedRelocation {
  /** Null where no function holds the instruction: a record that a linker left behind. */
  readonly program: string | null
  readonly section: string
  /** Index of the instruction slot within the program; within the section where there is none. */
  readonly instruction: number
  readonly kind: string
  readonly type: string
  readonly access: string
  readonly access_spec: string
  readonly source: SourceLine | null
}

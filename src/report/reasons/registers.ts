import { typeId } from '../../btf/btf.js'
import { BtfKind } from '../../btf/constants.js'
import { findCandidates, nameBytesOf } from '../../btf/find.js'
import { describeType } from '../../core/describe.js'
import type { Target } from '../../core/candidates.js'
import type { Spec } from '../../core/spec.js'
import { tryWithin, type Work } from '../../btf/work.js'
import { membersOf } from '../../members/paths.js'
import type { ReportSuggestion } from '../../wire/report.js'
import type { ReasonContext } from './context.js'
import { keepSearches } from './kept-searches.js'
import { listed } from './reason.js'

/** What a kernel for one architecture has in `struct pt_regs`. */
export interface Architecture {
  readonly name: string
  /** As bpf_tracing.h asks for it: `__TARGET_ARCH_x86`. */
  readonly macro: string
  /** A member that no other architecture has there. */
  readonly sign: string
  /** Members that give it away in an object. */
  readonly registers: readonly string[]
}

const words = (text: string): string[] => text.split(' ')
const numbered = (prefix: string, first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `${prefix}${first + i}`)

const ARCHITECTURES: readonly Architecture[] = [
  {
    name: 'x86_64',
    macro: 'x86',
    sign: 'orig_ax',
    registers: [
      ...words('di si dx cx bx ax ip bp').flatMap(register => [register, `r${register}`]), ...numbered('r', 8, 15),
      ...words('rsp orig_ax orig_rax cs ss flags')
    ]
  },
  { name: 'arm64', macro: 'arm64', sign: 'pstate', registers: words('regs pc pstate orig_x0 user_regs syscallno') },
  { name: 's390x', macro: 's390', sign: 'gprs', registers: words('gprs psw orig_gpr2') },
  { name: 'arm', macro: 'arm', sign: 'uregs', registers: ['uregs'] },
  { name: 'ppc64le', macro: 'powerpc', sign: 'nip', registers: words('gpr nip msr ctr link xer ccr orig_gpr3') },
  {
    name: 'riscv64',
    macro: 'riscv',
    sign: 'epc',
    registers: [...words('epc ra gp tp badaddr orig_a0'), ...numbered('t', 0, 6), ...numbered('s', 0, 11), ...numbered('a', 0, 7)]
  },
  {
    name: 'loongarch64',
    macro: 'loongarch',
    sign: 'csr_era',
    registers: words('regs orig_a0 csr_era csr_badvaddr csr_crmd csr_prmd csr_euen csr_ecfg csr_estat')
  }
]

/** Architectures that have a register, by its name. */
const OWNERS = new Map<string, string[]>()
for (const { name, registers } of ARCHITECTURES) {
  for (const register of registers) OWNERS.set(register, [...OWNERS.get(register) ?? [], name])
}

/** Architectures that have a member of their registers; undefined where that tells nothing. */
export function ownersOf (member: string): readonly string[] | undefined { return OWNERS.get(member) }

/** Types by which bpf_tracing.h reads registers, and the architectures where it does. */
const USER_TYPES: ReadonlyMap<string, readonly string[]> = new Map([
  ['struct user_pt_regs', ['arm64', 's390x']],
  ['struct user_regs_struct', ['riscv64']]
])

/** The macro of bpf_tracing.h for a register of x86_64. */
const MACROS: ReadonlyMap<string, string> = new Map([
  ['di', 'PARM1'], ['rdi', 'PARM1'], ['si', 'PARM2'], ['rsi', 'PARM2'], ['dx', 'PARM3'], ['rdx', 'PARM3'], ['cx', 'PARM4'],
  ['rcx', 'PARM4'], ['r8', 'PARM5'], ['r9', 'PARM6'], ['ax', 'RC'], ['rax', 'RC'], ['sp', 'SP'], ['rsp', 'SP'], ['bp', 'FP'],
  ['rbp', 'FP'], ['ip', 'IP'], ['rip', 'IP']
])

/** Whether an access is to a type by which programs read registers. */
export function isOfRegisters (local: Spec): boolean {
  const type = describeType(local.btf, local.rootId, true)
  return type === REGISTERS || USER_TYPES.has(type)
}

const REGISTERS = 'struct pt_regs'

/** What is said of a read of registers that the kernel's architecture does not have. */
export interface OtherRegisters {
  /** A sentence. */
  readonly detail: string
  readonly suggestions: readonly ReportSuggestion[]
}

/**
 * A member of `pt_regs` that another architecture has, or the type by which its registers are read: then the object was compiled for
 * that one. Undefined where it is something else.
 *
 * @param member undefined: the kernel does not have the type
 */
export function otherRegisters (local: Spec, member: string | undefined, context: ReasonContext): OtherRegisters | undefined {
  const type = describeType(local.btf, local.rootId, true)
  const users = USER_TYPES.get(type)
  if (!context.wantsAdvice || (type !== REGISTERS && users === undefined)) return undefined
  const there = architectureOf(context.target, context.work)
  if (there === undefined) return undefined
  const meant = member === undefined ? users : OWNERS.get(member)
  if (meant === undefined || meant.includes(there.name)) return undefined
  const archs = listed(meant, 'or')
  const given = member === undefined ? `programs read registers by it on ${archs}` : `${member} is a register of ${archs}`
  return {
    detail: `Its registers are those of ${there.name}, and ${given}: the object was compiled for another architecture.`,
    suggestions: [compileFor(there), ...macroFor(local, member, context)]
  }
}

/** The same for each register, so that it can be told once for the object. */
export function compileFor ({ name, macro }: Architecture): ReportSuggestion {
  return {
    text: `Compile the program for ${name}: with -D__TARGET_ARCH_${macro} and the vmlinux.h of such a kernel. ` +
      'Read registers by the macros of bpf/bpf_tracing.h only, such as PT_REGS_PARM1().',
    code: ''
  }
}

function macroFor (local: Spec, member: string | undefined, { names }: ReasonContext): ReportSuggestion[] {
  const register = MACROS.get(member ?? '')
  return register === undefined
    ? []
    : [{
        text: 'Read the register by its macro of bpf/bpf_tracing.h, which is right for each architecture:',
        code: `static __always_inline unsigned long ${names.takeFunction(local)}(struct pt_regs *p)\n` +
          `{\n\treturn PT_REGS_${register}_CORE(p);\n}`
      }]
}

/** The architecture of a kernel, by its `pt_regs`. */
export function architectureOf ({ btf }: Target, work: Work): Architecture | undefined {
  return tryWithin(() => findArchitecture(btf, typeId(0), 'pt_regs', work), () => undefined)
}

const findArchitecture = keepSearches((btf, _, name, work) => {
  for (const id of findCandidates(btf, BtfKind.STRUCT, nameBytesOf(name), false, work)) {
    const members = new Set(membersOf(btf, id, work).map(member => member.name))
    const found = ARCHITECTURES.find(({ sign }) => members.has(sign))
    if (found !== undefined) return found
  }
  return undefined
})

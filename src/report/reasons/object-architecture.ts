import { shownText } from '../../btf/shown-text.js'
import { CoreReloKind, isFieldKind } from '../../core/kinds.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { ReportSuggestion } from '../../wire/report.js'
import type { ReasonContext } from './context.js'
import { listed } from './reason.js'
import { architectureOf, compileFor, isOfRegisters, ownersOf } from './registers.js'

/**
 * Types that each architecture declares for itself, or that only some have. What an object reads of them comes out of the vmlinux.h of one
 * architecture.
 *
 * @see https://github.com/torvalds/linux/tree/v6.12/arch, in the asm folders of x86, arm64, s390, riscv and powerpc
 */
const OF_ARCHITECTURES: ReadonlySet<string> = new Set([
  'thread_struct', 'thread_info', 'cpu_context', 'fpu', 'fpstate', 'desc_struct', 'desc_ptr', 'gate_struct', 'tss_struct', 'x86_hw_tss',
  'cpuinfo_x86', 'cpuinfo_arm64', 'user_fpsimd_state', 'kvm_arch', 'kvm_vcpu_arch', 'dev_archdata', 'mod_arch_specific', 'arch_uprobe',
  'arch_uprobe_task', 'arch_hw_breakpoint'
].map(name => `struct ${name}`).concat('mm_context_t'))

/** What is said of a type of an architecture that is not the kernel's. */
export interface OtherArchitecture {
  /** A sentence. */
  readonly detail: string
  readonly suggestion: ReportSuggestion
}

/**
 * That the object was compiled for another architecture, where its registers tell that, and the type is one that architectures declare for
 * themselves. Undefined where it is not known.
 *
 * @param type as C names it
 */
export function otherArchitecture (type: string, context: ReasonContext): OtherArchitecture | undefined {
  if (!context.wantsAdvice || !OF_ARCHITECTURES.has(type)) return undefined
  const meant = compiledFor(context.records)
  if (meant.length === 0) return undefined
  const there = architectureOf(context.target, context.work)
  if (there === undefined || meant.includes(there.name)) return undefined
  return {
    detail: `The object was compiled for ${listed(meant, 'or')}, whose registers it reads, and this kernel is one for ${there.name}.`,
    suggestion: compileFor(there)
  }
}

const known = new WeakMap<readonly RecordOutcome[], readonly string[]>()

/** Architectures that have all registers that an object reads: none where it reads none that tells, or those of several. */
function compiledFor (records: readonly RecordOutcome[]): readonly string[] {
  let found = known.get(records)
  if (found === undefined) known.set(records, found = architecturesIn(records))
  return found
}

function architecturesIn (records: readonly RecordOutcome[]): readonly string[] {
  const areRegisters = new Map<number, boolean>()
  let found: readonly string[] | undefined
  for (const { typeId, resolution } of records) {
    if (resolution === undefined || !isFieldKind(resolution.local.kind)) continue
    const { local } = resolution
    let isRegister = areRegisters.get(typeId)
    if (isRegister === undefined) areRegisters.set(typeId, isRegister = isOfRegisters(local))
    if (!isRegister) continue
    // Who asks for a register means to run on more than one architecture.
    if (local.kind === CoreReloKind.FIELD_EXISTS) return []
    const name = local.accessors[1]?.name
    const owners = name === undefined ? undefined : ownersOf(shownText(local.btf, name))
    if (owners !== undefined) found = found === undefined ? owners : found.filter(owner => owners.includes(owner))
  }
  return found ?? []
}

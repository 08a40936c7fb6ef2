import { isAlreadyRelocated } from './already-relocated.js'
import { listsRelocations, type BpfObject } from './object.js'
import type { RecordOutcome, Warning } from './outcome.js'
import { warnOfUndefined } from './undefined-symbols.js'

/**
 * What a caller should know although the object is relocated.
 *
 * @param outside number of records that belong to no function
 */
export function listWarnings (object: BpfObject, outcomes: readonly RecordOutcome[], outside: number): Warning[] {
  const warnings: Warning[] = []
  if (outside > 0) {
    warnings.push({
      code: 'records_outside_functions',
      message: `${outside} relocations belong to no function. They were skipped, as libbpf skips them: ` +
        'linkers leave such records behind when they drop functions.'
    })
  }
  const undefinedFunction = warnOfUndefined(object)
  if (undefinedFunction !== undefined) warnings.push(undefinedFunction)
  const unrelocated = outcomes.length === 0 && outside === 0 ? warnOfNothing(object) : undefined
  if (unrelocated !== undefined) warnings.push(unrelocated)
  if (outcomes.some(({ kind }) => kind === 'local_type_id')) {
    warnings.push({
      code: 'local_type_ids',
      message: "The object holds ids of its own BTF types. They are right for loaders that keep the object's BTF as it is " +
        '(libbpf, bpftool, aya), and wrong for one that renumbers it (cilium/ebpf) or after static linking.'
    })
  }
  if (outcomes.some(({ kind, newValue }) => kind === 'target_type_id' && newValue !== null && newValue !== 0n)) {
    warnings.push({
      code: 'target_type_ids',
      message: 'The object holds type ids of the BTF that it was relocated for. ' +
        'They are right only if the running kernel has exactly this BTF, and not a rebuilt or minimised one.'
    })
  }
  return warnings
}

/**
 * What a user should know of an object on whichever kernel: that libbpf does not open it, or that nothing is relocated in it. The first of
 * that; undefined where there is none.
 */
export function warnOfObject (object: BpfObject): Warning | undefined {
  return warnOfUndefined(object) ?? (listsRelocations(object.elf) ? undefined : warnOfNothing(object))
}

/** Why nothing is relocated in an object: it was before, or has no records. */
function warnOfNothing (object: BpfObject): Warning {
  return isAlreadyRelocated(object)
    ? {
        code: 'already_relocated',
        message: 'The object was relocated before: its list of CO-RE relocations is empty. It is passed through unchanged, ' +
          'and it does not say for which kernel it is. Relocate the object that the compiler wrote.'
      }
    : {
        code: 'nothing_to_relocate',
        message: `The object has no CO-RE relocations (${whyNone(object)}). It is passed through unchanged. ` +
          'If its source uses CO-RE, compile it with -g, and strip it only with llvm-strip -g.'
      }
}

function whyNone ({ elf, ext }: BpfObject): string {
  if (!elf.sectionsByName.has('.BTF')) return 'it has no .BTF section'
  return ext === undefined ? 'it has no .BTF.ext section' : '.BTF.ext lists none'
}

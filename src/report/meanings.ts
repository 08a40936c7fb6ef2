import type { Warning } from '../core/outcome.js'
import type { ReportReason } from './reasons/reason.js'

/**
 * What a reason is about: a record without a value in this kernel, an object that libbpf refuses, or a value that is written and
 * does not do.
 */
type ReasonGroup = 'no value' | 'refused' | 'resolved'

/** Every reason that a relocation of the report can have. docs/reasons.md is made from this. */
export const REASONS: Readonly<Record<ReportReason, { readonly group: ReasonGroup, readonly meaning: string }>> = {
  type_missing: { group: 'no value', meaning: 'The kernel has no type of this kind and name.' },
  type_kind_differs: {
    group: 'no value',
    meaning: 'The name belongs to another kind of type in the kernel, for example to a union and not to a struct.'
  },
  type_in_module: { group: 'no value', meaning: 'Only kernel modules have the type. Name one of them in `modules`.' },
  type_differs: { group: 'no value', meaning: 'The kernel has the type, but in another shape.' },
  type_ruled_out: {
    group: 'no value',
    meaning: 'The kernel has several types of this name, and an earlier relocation ruled out the one that has the field.'
  },
  field_missing: { group: 'no value', meaning: 'The kernel has the type, but not this member.' },
  field_moved: {
    group: 'no value',
    meaning: 'The member lies elsewhere within the type in this kernel, for example in a struct inside it.'
  },
  field_incompatible: {
    group: 'no value',
    meaning: 'The kernel has the member, but its type cannot be read as the type that the object has for it.'
  },
  index_out_of_bounds: { group: 'no value', meaning: 'The array has fewer elements in the kernel than the index needs.' },
  enumerator_missing: { group: 'no value', meaning: 'The kernel has no enumerator of this name.' },
  access_size_unsafe: {
    group: 'no value',
    meaning: 'The member has another size in the kernel and is neither a pointer nor an unsigned integer, ' +
      'so the load or store cannot be resized.'
  },
  opcode_invalid: {
    group: 'resolved',
    meaning: 'libbpf gives the load or store a size for which no valid instruction exists, so the kernel refuses the program.'
  },
  bitfield_read_plainly: {
    group: 'resolved',
    meaning: 'The member is a bitfield in the kernel, and the program reads it in another way, so it gets a wrong value. ' +
      'Use `BPF_CORE_READ_BITFIELD_PROBED()`.'
  },
  ambiguous: { group: 'refused', meaning: 'The kernel has several types of this name that give different values.' },
  bitfield_too_wide: { group: 'refused', meaning: 'No aligned load of up to 8 bytes covers the bitfield.' },
  spec_too_long: { group: 'refused', meaning: 'The field is nested deeper in the kernel than libbpf supports.' },
  size_unknown: { group: 'refused', meaning: 'The type has no size: it is only declared.' },
  value_mismatch: {
    group: 'refused',
    meaning: "The instruction does not hold the value that the object's own types give: the object was changed after it was compiled."
  },
  value_too_big: { group: 'refused', meaning: 'The offset in the kernel does not fit the 16 bits that a load or store has for it.' },
  access_size_mismatch: {
    group: 'refused',
    meaning: 'The load or store does not have the size of the field, so libbpf does not resize it, ' +
      'or no instruction has the size that the field has in the kernel.'
  },
  instruction_unsupported: { group: 'refused', meaning: 'The instruction has no immediate or offset that a relocation can change.' },
  access_malformed: { group: 'refused', meaning: "The access string does not fit the object's own type." },
  kind_unknown: { group: 'refused', meaning: 'The record has a kind above 12, the last one that libbpf knows.' },
  type_id_invalid: { group: 'refused', meaning: "The record names a type that the object's BTF does not have." },
  insn_unaligned: { group: 'refused', meaning: 'The record does not point to the start of an instruction.' },
  too_deep: { group: 'refused', meaning: 'The types nest deeper than libbpf compares.' },
  root_anonymous: { group: 'refused', meaning: 'The type that the access starts at has no name.' },
  no_signedness: {
    group: 'refused',
    meaning: 'The record asks for the sign or the shifts of an array element, which libbpf does not support.'
  },
  type_cycle: { group: 'refused', meaning: 'A typedef, qualifier or array leads back to itself.' },
  bitfield_type_invalid: { group: 'refused', meaning: 'The bitfield is neither an integer nor an enum.' },
  insn_truncated: { group: 'refused', meaning: 'The second half of a 64-bit load is missing.' },
  elf_relocation: { group: 'refused', meaning: 'The instruction also has an ELF relocation, of a map, a variable or a call.' },
  work_limit: {
    group: 'refused',
    meaning: 'The types nest or repeat beyond what compilers make, so the comparison was ended. ' +
      'On a poisoned relocation, only the search for the reason was.'
  }
}

type WarningCode = Warning['code'] | 'bitfield_read_plainly' | 'opcode_invalid' | 'report_truncated' | 'more_warnings' | 'shared_kernel' |
  'attach_target_missing'

/** Every warning that a report can have. docs/reasons.md is made from this. */
export const WARNINGS: Readonly<Record<WarningCode, string>> = {
  already_relocated:
    'The object was relocated before, and nothing tells for which kernel. It is passed through, and nothing is attested about a kernel.',
  nothing_to_relocate: 'The object has no CO-RE relocations. It is passed through.',
  bitfield_read_plainly: 'The program reads a bitfield in another way and gets a wrong value. It would from libbpf too.',
  opcode_invalid: 'libbpf gives an instruction a size for which no valid instruction exists.',
  local_type_ids:
    'The object holds ids of its own BTF types. A loader that renumbers them (cilium/ebpf), and static linking, make them wrong.',
  target_type_ids: "The object holds ids of the kernel's BTF types. They are right only if the running kernel has exactly this BTF.",
  records_outside_functions:
    'Some relocations belong to no function and were skipped, as libbpf skips them. Linkers leave them when they drop a function.',
  function_undefined: 'The object calls a function that is defined nowhere, and that its BTF does not declare. libbpf does not open it.',
  attach_target_missing: "The kernel's BTF lacks a function or type that a program or a struct_ops map attaches to. " +
    'libbpf does not load the object there by itself. Not told by checks.',
  shared_kernel:
    'The kernel was found under the name of the distribution that built it: the distribution that was asked for installs its kernels.',
  report_truncated: 'The report would have more than 16 MiB. Some of it is left out; the counts include it.',
  more_warnings: 'There are more warnings of this kind than are listed.'
}

import { BtfKind } from '../btf/constants.js'
import { datasecVariable, kindOf, nameOf, referencedType, typeId, vlenOf, type Btf } from '../btf/btf.js'
import { newWork, step } from '../btf/work.js'
import { strip } from '../btf/resolve.js'
import { symbolsReferencedBy, type ElfFunction } from '../elf/functions.js'
import type { BpfObject } from './object.js'

/** Section name prefixes of programs that the kernel attaches by BTF id, with what the report says of them. From libbpf's section_defs. */
const BTF_ATTACHED: ReadonlyArray<readonly [RegExp, string]> = [
  [/^fentry(\.s)?(\/|$)/, 'attaches by BTF (fentry)'],
  [/^fexit(\.s)?(\/|$)/, 'attaches by BTF (fexit)'],
  [/^fsession(\.s)?(\/|$)/, 'attaches by BTF (fsession)'],
  [/^fmod_ret(\.s)?(\/|$)/, 'attaches by BTF (fmod_ret)'],
  [/^tp_btf(\/|$)/, 'attaches by BTF (tp_btf)'],
  [/^lsm(\.s)?(\/|$)/, 'attaches by BTF (lsm)'],
  [/^lsm_cgroup(\/|$)/, 'attaches by BTF (lsm_cgroup)'],
  [/^iter(\.s)?(\/|$)/, 'attaches by BTF (iter)'],
  [/^struct_ops(\.s)?(\/|$)/, 'implements a kernel interface described by BTF (struct_ops)']
]

/**
 * Why a program needs BTF in the running kernel however it is relocated, or null. Relocation cannot remove these needs: the
 * kernel itself resolves the names, or libbpf does so at load (obj_needs_vmlinux_btf).
 */
export function kernelBtfNeeds (object: BpfObject): (fn: ElfFunction) => string | null {
  const ksyms = typedKsyms(object.btf)
  return fn => {
    const section = fn.section.name.replace(/^\?/, '')
    const attached = BTF_ATTACHED.find(([prefix]) => prefix.test(section))
    if (attached !== undefined) return attached[1]
    if (ksyms.size === 0) return null
    for (const symbol of symbolsReferencedBy(object.elf, fn)) {
      const what = ksyms.get(symbol.name)
      if (what !== undefined) return `uses ${what} ${symbol.name}`
    }
    return null
  }
}

/** Kernel functions and typed kernel variables that the object declares extern: what its BTF lists in `.ksyms`. */
function typedKsyms (btf: Btf): ReadonlyMap<string, string> {
  const ksyms = new Map<string, string>()
  const work = newWork()
  for (let id = typeId(btf.startId); id < btf.endId; id = typeId(id + 1)) {
    if (kindOf(btf, id) !== BtfKind.DATASEC || nameOf(btf, id) !== '.ksyms') continue
    for (let i = 0; i < vlenOf(btf, id); i++) {
      if (work.left === 0) return ksyms
      step(work)
      const variable = datasecVariable(btf, id, i)
      const kind = kindOf(btf, variable)
      if (kind === BtfKind.FUNC) ksyms.set(nameOf(btf, variable), 'kernel function (kfunc)')
      // A variable of type void is looked up in /proc/kallsyms; only one with a type needs BTF.
      else if (kind === BtfKind.VAR && strip(btf, referencedType(btf, variable), work) !== 0) ksyms.set(nameOf(btf, variable), 'typed kernel variable')
    }
  }
  return ksyms
}

import { BtfKind } from '../btf/constants.js'
import { datasecVariable, kindOf, nameOf, referencedType, vlenOf, type Btf } from '../btf/btf.js'
import { listedKinds } from '../btf/listed-kinds.js'
import { newWork, step } from '../btf/work.js'
import { strip } from '../btf/resolve.js'
import { externReferences, type ElfFunction } from '../elf/functions.js'
import { findFunction, isAutoloaded, type BpfObject } from './object.js'

/**
 * Section names of programs that the kernel attaches by BTF id, up to a slash, with what the report says of them. From libbpf's
 * section_defs.
 */
const BTF_ATTACHED: ReadonlyMap<string, string> = new Map([
  ...['fentry', 'fexit', 'fsession', 'fmod_ret', 'tp_btf', 'lsm', 'lsm_cgroup', 'iter']
    .map(name => [name, `attaches by BTF (${name})`] as const),
  ['struct_ops', 'implements a kernel interface described by BTF (struct_ops)']
])
/** Those that have a variant for programs that sleep. */
const SLEEPABLE: ReadonlySet<string> = new Set(['fentry', 'fexit', 'fsession', 'fmod_ret', 'lsm', 'iter', 'struct_ops'])
const SLEEPS = '.s'

/**
 * Why a program needs BTF in the running kernel however it is relocated, or null. Relocation cannot remove these needs: the
 * kernel itself resolves the names, or libbpf does so at load (obj_needs_vmlinux_btf).
 */
export function kernelBtfNeeds (object: BpfObject): (fn: ElfFunction) => string | null {
  const users = ksymUsers(object)
  return fn => attachmentNeed(fn) ?? users.get(placeOf(fn)) ?? null
}

/**
 * Whether libbpf reads the running kernel's BTF to load the object once it is relocated: for one program that it loads by
 * itself and that attaches by BTF, for a typed kernel symbol anywhere, for a map of a kernel interface (struct_ops).
 */
export function needsKernelBtf (object: BpfObject): boolean {
  return object.elf.functions.some(fn => isAutoloaded(fn) && attachmentNeed(fn) !== undefined) ||
    object.elf.sections.some(({ name, size }) => size > 0 && STRUCT_OPS_MAPS.test(name)) ||
    typedKsyms(object.btf).size > 0
}

/** Sections of the maps that hold a kernel interface's functions. */
export const STRUCT_OPS_MAPS = /^\??\.struct_ops(\.link)?$/

function attachmentNeed ({ section: { name } }: ElfFunction): string | undefined {
  const by = attachedBy(name)?.by
  return by === undefined ? undefined : BTF_ATTACHED.get(by)
}

/**
 * How programs of a section attach by BTF id, and to what: `fexit` and `do_exit` for `?fexit.s/do_exit`. The target is undefined where
 * the section leaves it open. Undefined for other sections.
 */
export function attachedBy (section: string): { readonly by: string, readonly to: string | undefined } | undefined {
  const start = section.startsWith('?') ? 1 : 0
  const slash = section.indexOf('/', start)
  const kind = section.slice(start, slash < 0 ? undefined : slash)
  const plain = kind.endsWith(SLEEPS) ? kind.slice(0, -SLEEPS.length) : kind
  const by = SLEEPABLE.has(plain) ? plain : kind
  return BTF_ATTACHED.has(by) ? { by, to: slash < 0 ? undefined : section.slice(slash + 1) } : undefined
}

/** What functions use of the kernel's typed symbols: the first that each refers to, by where it starts. */
function ksymUsers (object: BpfObject): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  const ksyms = typedKsyms(object.btf)
  if (ksyms.size === 0) return users
  for (const { sectionIndex, offset, name } of externReferences(object.elf)) {
    const what = ksyms.get(name)
    const fn = what === undefined ? undefined : findFunction(object.elf, sectionIndex, offset)
    if (fn !== undefined && !users.has(placeOf(fn))) users.set(placeOf(fn), `uses ${what} ${name}`)
  }
  return users
}

/** The same for two names of one function. */
function placeOf ({ section, start }: ElfFunction): string { return `${section.index} ${start}` }

/** They follow from the object alone, which is reported on for many kernels. */
const known = new WeakMap<Btf, ReadonlyMap<string, string>>()

/** Kernel functions and typed kernel variables that the object declares extern: what its BTF lists in `.ksyms`. */
function typedKsyms (btf: Btf): ReadonlyMap<string, string> {
  let ksyms = known.get(btf)
  if (ksyms === undefined) known.set(btf, ksyms = readTypedKsyms(btf))
  return ksyms
}

function readTypedKsyms (btf: Btf): ReadonlyMap<string, string> {
  const ksyms = new Map<string, string>()
  const work = newWork()
  for (const id of listedKinds(btf).datasecs) {
    if (nameOf(btf, id) !== '.ksyms') continue
    for (let i = 0; i < vlenOf(btf, id); i++) {
      if (work.left === 0) return ksyms
      step(work)
      const variable = datasecVariable(btf, id, i)
      const kind = kindOf(btf, variable)
      if (kind === BtfKind.FUNC) {
        ksyms.set(nameOf(btf, variable), 'kernel function (kfunc)')
      } else if (kind === BtfKind.VAR && strip(btf, referencedType(btf, variable), work) !== 0) {
        // A variable of type void is looked up in /proc/kallsyms; only one with a type needs BTF.
        ksyms.set(nameOf(btf, variable), 'typed kernel variable')
      }
    }
  }
  return ksyms
}

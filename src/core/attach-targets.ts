import { datasecVariable, isValidId, kindOf, nameOf, referencedType, vlenOf } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { nameBytesOf } from '../btf/find.js'
import { listedKinds } from '../btf/listed-kinds.js'
import { essentialNameLength } from '../btf/names.js'
import { plainType } from '../btf/resolve.js'
import { attachedBy, STRUCT_OPS_MAPS } from './kernel-btf.js'
import { isAutoloaded, type BpfObject } from './object.js'

/** What libbpf looks for in the kernel's BTF, or in that of a module that is loaded, to load a program or a struct_ops map. */
export interface AttachTarget {
  readonly kind: 'function' | 'typedef' | 'struct'
  /** Its name there. */
  readonly name: string
  /** Programs and maps that ask for it. */
  readonly users: readonly string[]
}

/** Targets of one object. The largest objects that were met have some 200. */
const MAX_TARGETS = 300

const known = new WeakMap<BpfObject, readonly AttachTarget[]>()

/**
 * What the object's programs and maps attach to by BTF. Programs that libbpf loads only when asked (`?` sections), and those whose section
 * leaves the target open or names the module that has it, ask for nothing.
 *
 * @see https://github.com/libbpf/libbpf/blob/v1.5.0/src/libbpf.c btf_get_kernel_prefix_kind, libbpf_find_attach_btf_id,
 * find_struct_ops_kern_types
 */
export function attachTargets (object: BpfObject): readonly AttachTarget[] {
  let targets = known.get(object)
  if (targets === undefined) known.set(object, targets = listTargets(object))
  return targets
}

function listTargets (object: BpfObject): readonly AttachTarget[] {
  const targets = new Map<string, { readonly kind: AttachTarget['kind'], readonly name: string, readonly users: string[] }>()
  const add = (kind: AttachTarget['kind'], name: string, user: string): void => {
    const key = `${kind} ${name}`
    const held = targets.get(key)
    if (held !== undefined) held.users.push(user)
    else if (targets.size < MAX_TARGETS) targets.set(key, { kind, name, users: [user] })
  }
  for (const fn of object.elf.functions) {
    if (!isAutoloaded(fn)) continue
    const { by, to } = attachedBy(fn.section.name) ?? {}
    if (by === undefined || to === undefined || to === '' || to.includes(':')) continue
    if (by === 'tp_btf') add('typedef', `btf_trace_${to}`, fn.name)
    else if (by === 'lsm' || by === 'lsm_cgroup') add('function', `bpf_lsm_${to}`, fn.name)
    else if (by === 'iter') add('function', `bpf_iter_${to}`, fn.name)
    else if (by !== 'struct_ops') add('function', to, fn.name)
  }
  for (const { map, type } of structOpsMaps(object)) {
    add('struct', type, map)
    add('struct', `bpf_struct_ops_${type}`, map)
  }
  return [...targets.values()]
}

/** Those that libbpf creates by itself. */
function * structOpsMaps ({ btf }: BpfObject): Generator<{ readonly map: string, readonly type: string }> {
  for (const id of listedKinds(btf).datasecs) {
    const section = nameOf(btf, id)
    if (!STRUCT_OPS_MAPS.test(section) || section.startsWith('?')) continue
    for (let i = 0; i < Math.min(vlenOf(btf, id), MAX_TARGETS); i++) {
      const variable = datasecVariable(btf, id, i)
      if (!isValidId(btf, variable) || kindOf(btf, variable) !== BtfKind.VAR) continue
      const type = nameOf(btf, plainType(btf, referencedType(btf, variable)))
      const { bytes, length } = nameBytesOf(type)
      const plain = type.slice(0, essentialNameLength(bytes, 0, length)) // flavours are ASCII
      if (plain !== '') yield { map: nameOf(btf, variable), type: plain }
    }
  }
}

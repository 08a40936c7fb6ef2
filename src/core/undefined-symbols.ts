import { kindOf, nameOf, typeId, vlenOf, type Btf } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { STB_LOCAL, STT_NOTYPE } from '../elf/constants.js'
import { isProgramSection } from '../elf/functions.js'
import { symbolIndices, symbolsOf, type ElfSymbol } from '../elf/symbols.js'
import { BPF_INSN } from '../insn/insn.js'
import { BPF_CALL } from '../insn/opcodes.js'
import { findFunction, type BpfObject } from './object.js'
import type { Warning } from './outcome.js'

/** `btf_func_linkage` of a function that is declared only: BPF_FUNC_EXTERN. */
const FUNC_EXTERN = 2
/** Symbols that the warning names. */
const MAX_NAMED = 3

/** They follow from the object alone, which is relocated for many kernels. */
const known = new WeakMap<BpfObject, { readonly warning: Warning | undefined }>()

/**
 * A function that is called and nowhere defined, and of which BTF does not tell either: libbpf refuses the object when it opens
 * it ("failed to find BTF for extern"). So gcc leaves builtins that it does not know. Undefined where there is none; variables are not
 * looked at.
 *
 * @see https://github.com/libbpf/libbpf/blob/v1.5.0/src/libbpf.c bpf_object__collect_externs, sym_is_extern, find_extern_btf_id
 */
export function warnOfUndefined (object: BpfObject): Warning | undefined {
  let found = known.get(object)
  if (found === undefined) known.set(object, found = { warning: findUndefined(object) })
  return found.warning
}

function findUndefined (object: BpfObject): Warning | undefined {
  const { elf, btf } = object
  const symbols = symbolsOf(elf)
  const externs = new Map<number, ElfSymbol>()
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.sectionOf(index) !== 0) continue
    const symbol = symbols.at(index)
    if (symbol !== undefined && symbol.binding !== STB_LOCAL && symbol.type === STT_NOTYPE && symbol.name !== '') externs.set(index, symbol)
  }
  if (externs.size === 0 || !elf.sectionsByName.has('.BTF')) return undefined
  const declared = declaredNames(btf)
  for (const [index, { name }] of externs) if (declared.has(name)) externs.delete(index)
  if (externs.size === 0) return undefined
  const called = new Map<string, string>()
  for (const section of elf.sections) {
    if (!isProgramSection(section)) continue
    for (const [offset, index] of symbolIndices(elf)(section)) {
      const name = externs.get(index)?.name
      const isCall = name !== undefined && offset < section.size && elf.bytes[section.offset + offset] === BPF_CALL
      if (!isCall || called.has(name)) continue
      const fn = findFunction(elf, section.index, offset)
      const place = `instruction ${Math.floor((offset - (fn?.start ?? 0)) / BPF_INSN.SIZE)} of ${fn?.name ?? 'no function'}`
      called.set(name, `${name} (section ${section.name}, ${place})`)
    }
  }
  if (called.size === 0) return undefined
  const named = [...called.values()].slice(0, MAX_NAMED).join(', ')
  const more = called.size > MAX_NAMED ? ` and ${called.size - MAX_NAMED} more` : ''
  return {
    code: 'function_undefined',
    message: `libbpf does not open the object: it calls what is defined nowhere, and what its BTF does not declare: ${named}${more}. ` +
      'A compiler leaves a call to a builtin that it does not know; define the function, or compile with clang.'
  }
}

/** Names of functions of which BTF says that they are elsewhere, as kfuncs are, and of variables, which nothing calls. */
function declaredNames (btf: Btf): ReadonlySet<string> {
  const names = new Set<string>()
  for (let i = 0; i < btf.typeOffsets.length; i++) {
    const id = typeId(btf.startId + i)
    const kind = kindOf(btf, id)
    if (kind === BtfKind.VAR || (kind === BtfKind.FUNC && vlenOf(btf, id) === FUNC_EXTERN)) names.add(nameOf(btf, id))
  }
  return names
}

import { BtfKind } from '../../src/btf/constants.js'
import {
  isEmptyString,
  kindFlagOf,
  kindOf,
  memberBitfieldSize,
  memberNameOffset,
  memberType,
  nameOf,
  sizeWordOf,
  textOf,
  typeId,
  vlenOf,
  type Btf,
  type TypeId
} from '../../src/btf/btf.js'
import { strip } from '../../src/btf/resolve.js'
import { newWork } from '../../src/btf/work.js'
import { assembler } from './asm.js'
import { at, btf as btfBuilder } from './btf-builder.js'
import { concat } from './byte-writer.js'
import { buildObject, type CoreRecord, type ProgramSpec } from './object-builder.js'

export interface LargeObjectOptions {
  /** The kernel's BTF, of whose structs members are read that are plain integers or pointers. */
  readonly kernel: Btf
  readonly records: number
  /** Accesses that differ; each occurs as often as the next. */
  readonly distinct: number
  readonly recordsPerFunction?: number
}

/** Functions of one section, as of an object with many programs of a few attach points. */
const FUNCTIONS_PER_SECTION = 100

/**
 * An object of the kind that tracers ship: thousands of functions that read the same few hundred members, early and late ones, of
 * a few dozen kernel structs. Each access is an address (`r1 = offset`), as BPF_CORE_READ compiles to.
 */
export function largeObject ({ kernel, records: count, distinct, recordsPerFunction = 20 }: LargeObjectOptions): Uint8Array {
  const asm = assembler('little')
  const local = btfBuilder()
  const pointer = local.ptr(0)
  const integers = new Map([1, 2, 4, 8].map(size => [size, local.int(`u${size * 8}`, size)]))
  const accesses: Array<{ typeId: number, access: string, was: number }> = []
  for (const { name, members } of pickMembers(kernel, distinct)) {
    const fields = members.map((member, i) => at(member.name, i * 8, integers.get(member.integerSize ?? 0) ?? pointer))
    const id = local.struct(name, fields.length * 8, fields)
    fields.forEach((_, i) => { accesses.push({ typeId: id, access: `0:${i}`, was: i * 8 }) })
  }

  const programs: ProgramSpec[] = []
  const records: CoreRecord[] = []
  let insnOff = 0
  for (let done = 0, n = 0; done < count; n++) {
    const section = `raw_tp/s${Math.floor(n / FUNCTIONS_PER_SECTION)}`
    if (n % FUNCTIONS_PER_SECTION === 0) insnOff = 0
    const code: Uint8Array[] = []
    for (let i = 0; i < recordsPerFunction && done < count; i++, done++) {
      const { was, ...access } = accesses[done % accesses.length] ?? { typeId: 0, access: '0', was: 0 }
      records.push({ section, insnOff: insnOff + code.length * 8, kind: 'byte_off', ...access })
      code.push(asm.mov(1, was))
    }
    code.push(asm.mov(0, 0), asm.exit())
    insnOff += code.length * 8
    programs.push({ section, name: `p${n}`, code: concat(...code) })
  }
  return buildObject({ local, programs, records }).bytes
}

interface PickedMember {
  readonly name: string
  /** Bytes of an integer; undefined for a pointer. */
  readonly integerSize: number | undefined
}

/** Structs whose name is theirs alone, the largest first, with up to 25 members each from their start to their end. */
function pickMembers (kernel: Btf, count: number): Array<{ name: string, members: readonly PickedMember[] }> {
  const structs = [...uniqueStructs(kernel)].sort((a, b) => vlenOf(kernel, b[1]) - vlenOf(kernel, a[1]))
  const picked: Array<{ name: string, members: readonly PickedMember[] }> = []
  let left = count
  for (const [name, id] of structs) {
    if (left <= 0) break
    const all = plainMembers(kernel, id)
    const every = Math.max(1, Math.floor(all.length / 25))
    const members = all.filter((_, i) => i % every === every - 1).slice(0, left)
    if (members.length === 0) continue
    picked.push({ name, members })
    left -= members.length
  }
  return picked
}

function uniqueStructs (kernel: Btf): Map<string, TypeId> {
  const found = new Map<string, TypeId>()
  const repeated = new Set<string>()
  for (let id = typeId(1); id < kernel.endId; id = typeId(id + 1)) {
    if (kindOf(kernel, id) !== BtfKind.STRUCT) continue
    const name = nameOf(kernel, id)
    if (name === '' || name.includes('___') || found.has(name)) repeated.add(name)
    else found.set(name, id)
  }
  for (const name of repeated) found.delete(name)
  return found
}

function plainMembers (kernel: Btf, id: TypeId): PickedMember[] {
  const members: PickedMember[] = []
  for (let i = 0; i < vlenOf(kernel, id); i++) {
    if (isEmptyString(kernel, memberNameOffset(kernel, id, i)) || (kindFlagOf(kernel, id) && memberBitfieldSize(kernel, id, i) > 0)) {
      continue
    }
    const type = strip(kernel, memberType(kernel, id, i), newWork())
    const kind = kindOf(kernel, type)
    if (kind !== BtfKind.INT && kind !== BtfKind.PTR) continue
    members.push({
      name: textOf(kernel, memberNameOffset(kernel, id, i)), integerSize: kind === BtfKind.INT ? sizeWordOf(kernel, type) : undefined
    })
  }
  return members
}

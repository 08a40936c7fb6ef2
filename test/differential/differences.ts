import { assembler, poison } from '../support/asm.js'
import { at, bitsAt, btf, integers, KIND, layoutOfKnownKinds, type BtfBuilder } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { fooSpec, localFoo, targetFoo } from '../support/corpus.js'
import { SHF, STB, STT } from '../support/elf-writer.js'
import { buildObject, type BuiltObject, type ObjectSpec, type ReloName } from '../support/object-builder.js'

/** What becomes of an object. */
export type Outcome =
  /** It is relocated: the instructions of its first program. */
  | { readonly code: Uint8Array }
  /**
   * It is refused. By libbpf: at which stage (`open or before`: versions differ). By us: an error code, or the reason of the record that
   * fails.
   */
  | { readonly refused: string }
  /** libbpf dies of this signal. */
  | { readonly dies: number }
  /** libbpf does not come back. */
  | { readonly hangs: true }

/** One thing that this engine and a libbpf treat differently, with an object and a kernel that show it. */
export interface Difference {
  readonly rule: string
  /** The version of libbpf from which on it does as we do; undefined where none does. */
  readonly since?: string
  readonly make: () => { readonly object: BuiltObject, readonly target: Uint8Array }
  readonly libbpf: Outcome
  readonly ours: Outcome
}

const asm = assembler('little')
const POISON = poison('little')
const SECTION = 'raw_tp/a'

/** An instruction, and the exit behind it. */
const program = (...insns: readonly Uint8Array[]): Outcome => ({ code: concat(...insns, asm.exit()) })
const refused = (by: string): Outcome => ({ refused: by })

/** An object with one relocation, on the first instruction of its one program. */
function one (
  local: BtfBuilder, record: { kind: ReloName, typeId: number, access?: string }, insn: Uint8Array, changes: Partial<ObjectSpec> = {}
): BuiltObject {
  return buildObject({
    local,
    programs: [{ section: SECTION, name: 'a', code: concat(insn, asm.exit()) }],
    records: [{ section: SECTION, insnOff: 0, ...record }],
    ...changes
  })
}

/** The load of foo.y that is at 4 in the object and at 12 in the kernel. */
const FOO_AS_COMPILED = program(asm.ldx('w', 2, 1, 4))
const FOO_RELOCATED = program(asm.ldx('w', 2, 1, 12))
const foo = (changes: Partial<ObjectSpec> = {}) => () => ({ object: buildObject(fooSpec('little', changes)), target: targetFoo().bytes() })

/** Where Debian 12's libbpf 1.1 differs from the 1.8 that we equal. */
export const VERSIONS: readonly Difference[] = [
  {
    rule: 'only ints and enums are signed; before, whatever follows the type of another member in the file was read as its encoding',
    since: '1.3',
    make: () => {
      const { b, id } = pointerHolder()
      const target = btf()
      target.struct('holder', 8, [at('poc', 0, 2)]) // first string of the file; the third letter of it is odd
      target.ptr(0) // last type of the file
      return { object: one(b, { kind: 'signed', typeId: id, access: '0:0' }, asm.mov(1, 0)), target: target.bytes() }
    },
    libbpf: program(asm.mov(1, 1)),
    ours: program(asm.mov(1, 0))
  },
  {
    rule: 'a BTF with a type id out of range is refused, even if no relocation meets it',
    since: '1.3',
    make: () => {
      const target = targetFoo()
      target.struct('unrelated', 4, [at('x', 0, 1000)])
      return { object: foo()().object, target: target.bytes() }
    },
    libbpf: FOO_RELOCATED,
    ours: refused('btf_invalid')
  },
  {
    rule: 'the access to an array has the size of an element; before, of the whole array, which another length makes unsafe',
    since: '1.6',
    make: () => {
      const arrayHolder = (before: number, count: number) => {
        const b = btf()
        const { uint } = integers(b)
        return { b, id: b.struct('holder', before + 4 * count, [at('values', before, b.array(uint, count))]) }
      }
      const local = arrayHolder(0, 4)
      return {
        object: one(local.b, { kind: 'byte_off', typeId: local.id, access: '0:0' }, asm.ldx('w', 2, 1, 0)),
        target: arrayHolder(8, 6).b.bytes()
      }
    },
    libbpf: program(POISON),
    ours: program(asm.ldx('w', 2, 1, 8))
  },
  {
    rule: 'a negative number in an access string is refused; before, it counted backwards',
    since: '1.8',
    make: () => {
      const { b, foo: id } = localFoo()
      return { object: one(b, { kind: 'byte_off', typeId: id, access: '-1' }, asm.mov(1, 0x1fff_fff8)), target: targetFoo().bytes() }
    },
    libbpf: program(asm.mov(1, 0x1fff_fff0)),
    ours: refused('access_malformed')
  },
  {
    rule: 'a type can have more than 65,535 members',
    since: '1.8',
    make: () => {
      const target = targetFoo()
      const members = 65_537
      target.raw({
        name: 'huge', kind: KIND.STRUCT, vlen: members, sizeOrType: 4, tail: Array.from({ length: members }, () => [0, 1, 0]).flat()
      })
      return { object: foo()().object, target: target.bytes() }
    },
    libbpf: refused('relocate'),
    ours: FOO_RELOCATED
  },
  {
    rule: 'a kind of type that is not known is passed over where a layout section tells its size',
    since: '1.8',
    make: () => {
      const target = targetFoo()
      target.raw({ name: 'future', kind: 20, sizeOrType: 0, tail: [1, 2] })
      return { object: foo()().object, target: target.bytes({ layout: layoutOfKnownKinds([8, 0]) }) }
    },
    libbpf: refused('relocate'),
    ours: FOO_RELOCATED
  }
]

/** Where we decide otherwise than every libbpf, on purpose. */
export const DELIBERATE: readonly Difference[] = [
  {
    rule: 'a big-endian object is relocated on any machine; libbpf does not load it on a little-endian one',
    make: () => ({ object: buildObject(fooSpec('big')), target: targetFoo('big').bytes() }),
    libbpf: refused('open or before'),
    ours: { code: concat(assembler('big').ldx('w', 2, 1, 12), assembler('big').exit()) }
  },
  {
    rule: 'a block without records makes .BTF.ext an error; libbpf drops the section, and with it all relocations',
    make: foo({ ext: { blocks: [{ section: SECTION, records: [], numInfo: 0 }] } }),
    libbpf: FOO_AS_COMPILED,
    ours: refused('object_invalid')
  },
  {
    rule: 'a core_relo part that ends after the size of its records is an error; libbpf drops all relocations',
    make: foo({ ext: { parts: { core_relo: { len: 4 } } } }),
    libbpf: FOO_AS_COMPILED,
    ours: refused('object_invalid')
  },
  {
    rule: 'a version of .BTF.ext that is not known is an error; libbpf drops all relocations',
    make: foo({ ext: { version: 2 } }),
    libbpf: FOO_AS_COMPILED,
    ours: refused('object_invalid')
  },
  {
    rule: 'a .BTF that cannot be read is an error; libbpf drops all relocations',
    make: foo({ btf: new Uint8Array(64) }),
    libbpf: FOO_AS_COMPILED,
    ours: refused('object_invalid')
  },
  {
    rule: 'an object that lists relocations and has no .BTF is an error; libbpf loads it as it is',
    make: foo({ btf: null }),
    libbpf: FOO_AS_COMPILED,
    ours: refused('object_invalid')
  },
  {
    rule: 'an object of one byte order is refused for a kernel of the other; libbpf relocates it',
    make: () => ({ object: foo()().object, target: targetFoo('big').bytes() }),
    libbpf: FOO_RELOCATED,
    ours: refused('btf_invalid')
  },
  {
    rule: 'a .BTF of another byte order than the object is refused; libbpf reads it',
    make: () => {
      const spec = fooSpec()
      buildObject(spec) // adds its strings
      const bytes = localFoo('big').b.bytes({ strings: stringsOf(spec.local) })
      return { object: buildObject({ ...spec, btf: bytes }), target: targetFoo().bytes() }
    },
    libbpf: FOO_RELOCATED,
    ours: refused('object_invalid')
  },
  {
    rule: 'a 64-bit load without its second half is refused; libbpf writes past the end of the program',
    make: () => {
      const { b, foo: id } = localFoo()
      const code = concat(asm.mov(0, 0), asm.ldImm64(1, 0).slice(0, 8))
      return {
        object: buildObject({
          local: b,
          programs: [{ section: SECTION, name: 'a', code }],
          records: [{ section: SECTION, insnOff: 8, typeId: id, access: '0:1', kind: 'byte_off' }]
        }),
        target: btf().bytes()
      }
    },
    libbpf: { code: concat(asm.mov(0, 0), POISON) },
    ours: refused('insn_truncated')
  },
  {
    rule: 'a typedef of itself is refused; libbpf follows it for ever',
    make: () => {
      const b = btf()
      b.typedef('loop', 2)
      const id = b.typedef('loop', 1)
      return { object: one(b, { kind: 'byte_off', typeId: id, access: '0' }, asm.mov(1, 0)), target: targetFoo().bytes() }
    },
    libbpf: { hangs: true },
    ours: refused('type_cycle')
  },
  {
    rule: 'a bitfield of a type without a size is refused; libbpf divides by that size',
    make: () => {
      const b = btf()
      const id = b.struct('bits', 4, [bitsAt('x', 0, 3, b.int('nothing', 0))])
      return { object: one(b, { kind: 'byte_off', typeId: id, access: '0:0' }, asm.mov(1, 0)), target: b.bytes() }
    },
    libbpf: { dies: 8 },
    ours: refused('bitfield_type_invalid')
  },
  {
    rule: 'a bitfield of a type that is neither an integer nor an enum is refused; libbpf takes the size of that type for a load',
    make: () => {
      const bitsOf = (bit: number) => {
        const b = btf()
        return { b, id: b.struct('bits', 8, [bitsAt('x', bit, 3, b.struct('storage', 4))]) }
      }
      const local = bitsOf(0)
      return {
        object: one(local.b, { kind: 'byte_off', typeId: local.id, access: '0:0' }, asm.mov(1, 0)), target: bitsOf(32).b.bytes()
      }
    },
    libbpf: program(asm.mov(1, 4)),
    ours: refused('bitfield_type_invalid')
  },
  {
    rule: 'a function prototype whose result type does not exist is refused; libbpf follows a null pointer',
    make: () => {
      const b = btf()
      const id = b.typedef('callback', b.funcProto(1000))
      return { object: one(b, { kind: 'type_exists', typeId: id }, asm.mov(1, 1)), target: b.bytes() }
    },
    libbpf: { dies: 11 },
    ours: refused('type_id_invalid')
  },
  {
    rule: 'records of a section whose name another section has too are refused; libbpf takes the first',
    make: () => {
      const code = concat(asm.ldx('w', 2, 1, 4), asm.exit())
      return foo({
        sectionsAfter: [{ name: SECTION, flags: SHF.ALLOC | SHF.EXECINSTR, data: code }],
        symbols: [{ name: 'b', value: 0, size: code.length, type: STT.FUNC, binding: STB.GLOBAL, section: 4 }]
      })()
    },
    libbpf: FOO_RELOCATED,
    ours: refused('object_invalid')
  },
  {
    rule: 'a CO-RE relocation of an instruction that has an ELF relocation too is refused; libbpf takes the value for an offset into ' +
      'the map',
    make: () => {
      const { b, foo: id } = localFoo()
      return {
        object: one(b, { kind: 'type_size', typeId: id }, asm.ldImm64(1, 8), {
          sectionsBefore: [{ name: '.data', flags: SHF.ALLOC, data: new Uint8Array(8) }],
          symbols: [{ name: 'variable', value: 0, size: 8, type: STT.OBJECT, binding: STB.GLOBAL, section: 1 }],
          relocations: [{ section: SECTION, offset: 0 }]
        }),
        target: targetFoo().bytes()
      }
    },
    libbpf: program(asm.ldImm64(1, 16n << 32n, 2)), // byte 16 of the first map, which has 8
    ours: refused('elf_relocation')
  },
  {
    rule: 'a program of a ? section is relocated; libbpf leaves it until an application asks for it',
    make: optional(asm.ldx('w', 2, 1, 4)),
    libbpf: FOO_AS_COMPILED,
    ours: FOO_RELOCATED
  },
  {
    rule: 'what libbpf would refuse in a program of a ? section is poisoned there; libbpf leaves it until an application asks for it',
    make: optional(asm.ldx('w', 2, 1, 5)),
    libbpf: program(asm.ldx('w', 2, 1, 5)),
    ours: program(POISON)
  },
  {
    rule: 'a function with two names is relocated for both; libbpf makes a program of each name, relocates one, and leaves the other ' +
      'as it was compiled',
    make: () => {
      const spec = fooSpec()
      return {
        object: buildObject({ ...spec, programs: spec.programs.map(first => ({ ...first, aliases: ['b'] })) }), target: targetFoo().bytes()
      }
    },
    libbpf: FOO_AS_COMPILED,
    ours: FOO_RELOCATED
  },
  {
    rule: 'an object with more than 262,144 relocations is refused, because the outcome of each takes memory',
    make: () => {
      const { b, foo: id } = localFoo()
      // An id of the object's own is written as often as wanted: its record does not look at what was there.
      const record = { section: SECTION, insnOff: 0, typeId: id, kind: 'local_type_id' as const }
      return {
        object: one(b, record, asm.mov(1, 0), { records: Array.from({ length: 262_145 }, () => record) }), target: targetFoo().bytes()
      }
    },
    libbpf: program(asm.mov(1, 10)),
    ours: refused('object_invalid')
  },
  {
    rule: 'a file with more than 4,096 sections is refused, because one table holds them all',
    make: foo({ sectionsAfter: Array.from({ length: 4097 }, (_, i) => ({ name: `.x${i}`, data: new Uint8Array(1) })) }),
    libbpf: FOO_RELOCATED,
    ours: refused('object_invalid')
  }
]

/** A struct of one pointer, in a BTF that ends in something else. */
function pointerHolder (): { b: BtfBuilder, id: number } {
  const b = btf()
  const id = b.struct('holder', 8, [at('poc', 0, b.ptr(0))])
  integers(b)
  return { b, id }
}

/** The string section of a BTF. */
function stringsOf (builder: BtfBuilder): Uint8Array {
  const bytes = builder.bytes()
  return bytes.subarray(bytes.length - builder.stringLength)
}

/** The small object with its program in a ? section. */
function optional (insn: Uint8Array): Difference['make'] {
  const section = `?${SECTION}`
  return () => {
    const spec = fooSpec()
    return {
      object: buildObject({
        ...spec,
        programs: [{ section, name: 'a', code: concat(insn, asm.exit()) }],
        records: (spec.records ?? []).map(record => ({ ...record, section }))
      }),
      target: targetFoo().bytes()
    }
  }
}

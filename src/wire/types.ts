/** Kinds of type that are asked for by name, as C writes them. */
export type NamedKind = 'struct' | 'union' | 'enum' | 'typedef'

/** A member of a struct or union. */
export interface MemberDefinition {
  /** Null where it has none: its own members count as those of what it is in. */
  readonly name: string | null
  /** As C writes it. */
  readonly type: string
  /** From the start of the type that was asked for, in bits. */
  readonly bit_offset: number
  /** In bits; null for what is no bitfield. */
  readonly bitfield_size: number | null
  /** In bytes; null where it has none. */
  readonly size: number | null
  /** Of a struct or union without a name, and of a member without one. */
  readonly members?: readonly MemberDefinition[]
}

/** A type of a kernel. */
export interface TypeDefinition {
  /** In the kernel's BTF. */
  readonly type_id: number
  readonly kind: NamedKind
  readonly name: string
  /** In bytes; null where it has none. */
  readonly size: number | null
  readonly members?: readonly MemberDefinition[]
  /** Values are decimal numbers, as text: they may have 64 bits. */
  readonly enumerators?: ReadonlyArray<{ readonly name: string, readonly value: string }>
  /** Of a typedef: what it stands for, as C writes it. */
  readonly type?: string
}

/** Which kernel types are from. */
export interface KernelOfTypes {
  readonly kernel: string
  readonly btf_sha256: string
  /** Where that came from. */
  readonly source: string
}

/** `GET /kernels/…/types/{kind}/{name}`. A kernel may have several types of one name that differ. */
export interface KernelTypesJson extends KernelOfTypes {
  readonly types: readonly TypeDefinition[]
}

/** Where a member is. */
export interface MemberPlace {
  /** From the type that was asked for, as C writes it: `thread_info.cpu`. Members without a name are left out, as C leaves them out. */
  readonly path: string
  /** As C writes it. */
  readonly type: string
  /** From the start of the type that was asked for, in bits. Null behind a pointer (`bi_bdev->bd_disk`). */
  readonly bit_offset: number | null
  /** In bits, that of a bitfield included; null where it has none, as a function or an array without length. */
  readonly bit_size: number | null
  readonly is_bitfield: boolean
}

/** `GET /types/diff`: how types of one name differ between two kernels. */
export interface TypesDiffJson {
  /** As C writes it: `struct task_struct`. */
  readonly type: string
  readonly from: KernelOfTypes
  readonly to: KernelOfTypes
  /** Whether all of `types` are the same in both. */
  readonly is_same: boolean
  /** Mostly one. Where a kernel has several types of the name, each stands beside the one that is most like it. */
  readonly types: readonly TypeDifference[]
}

/** What became of a type, or of an enumerator. */
export type Change = 'same' | 'added' | 'removed' | 'changed'

/** What became of a member. A member that is the same in both has none. */
export type MemberChange = 'added' | 'removed' | 'moved' | 'resized' | 'retyped' | 'renamed'

export interface TypeDifference {
  readonly change: Change
  /** Null where that kernel has no such type, as `to`. */
  readonly from: TypeSide | null
  readonly to: TypeSide | null
  /** Of a struct or union: the members of both, in the order of `to`, those that were removed where they were. */
  readonly members?: readonly MemberDifference[]
  /** Of an enumeration, in the same order. */
  readonly enumerators?: readonly EnumeratorDifference[]
}

export interface TypeSide {
  /** In that kernel's BTF. */
  readonly type_id: number
  /** In bytes; null where it has none. */
  readonly size: number | null
  /** Of a typedef: what it stands for, as C writes it. */
  readonly type?: string
}

export interface MemberDifference {
  readonly changes: readonly MemberChange[]
  /** Null where it was added. */
  readonly from: MemberPlace | null
  /** Null where it was removed. */
  readonly to: MemberPlace | null
}

export interface EnumeratorDifference {
  readonly name: string
  readonly change: Change
  /** A decimal number; null where that kernel has none of the name, as `to`. */
  readonly from: string | null
  readonly to: string | null
}

/** `GET /types/history`: where a type, or a member of it, was in the kernels that are held. */
export interface TypeHistoryJson {
  /** As C writes it: `struct task_struct`. */
  readonly type: string
  /** Path of the member that was asked for; null where the whole type was. */
  readonly member: string | null
  /** Kernels that the patterns mean, those that were left out included. */
  readonly kernels: number
  /** By distribution, its version, architecture and flavour, and within these from the oldest release to the newest. */
  readonly ranges: readonly HistoryRange[]
  /** Kernels of which the answer says nothing, by reason. None where it is complete. */
  readonly left_out: readonly LeftOut[]
}

/** Releases in a row in which the member was at one place. */
export interface HistoryRange {
  readonly distro: string
  readonly distro_version: string
  readonly arch: string
  /** What follows the numbers of the release: `generic`, `cloud-amd64`. Empty where nothing does. */
  readonly flavour: string
  /** `uname -r` of the oldest and of the newest kernel. */
  readonly first: string
  readonly last: string
  /** Those that are held, from the first to the last. */
  readonly kernels: number
  /** `missing`: the type has no such member. `type_missing`: the kernel has no such type. */
  readonly state: 'present' | 'missing' | 'type_missing'
  /** Where it was: one, unless a kernel has several types of the name, or the member became several. Empty where it is not there. */
  readonly places: readonly HistoryPlace[]
}

export interface HistoryPlace extends MemberPlace {
  /**
   * How it was found. `named`: by the name that was asked for. `moved`: by this name within an embedded struct. `renamed`: by a name
   * that the kernel's history gives. `similar`: by a name that is nearly the same, which is a guess.
   */
  readonly found: 'named' | 'moved' | 'renamed' | 'similar'
  /** Of an enumerator: a decimal number. Null for what is none. */
  readonly value: string | null
}

export interface LeftOut {
  /** A sentence. */
  readonly reason: string
  readonly kernels: number
  /** The first of them, by their references. */
  readonly examples: readonly string[]
}

/** `GET /kernels/…/types?name=&member=`: types of a kernel by the beginning of their name, and by a member. */
export interface TypeSearchJson extends KernelOfTypes {
  readonly types: readonly FoundType[]
  /** Null on the last page. */
  readonly next_cursor: string | null
}

export interface FoundType {
  /** In the kernel's BTF. */
  readonly type_id: number
  readonly kind: NamedKind
  readonly name: string
  /** In bytes; null where it has none. */
  readonly size: number | null
  /** The member that was asked for; null where none was, and for an enumerator. */
  readonly member: MemberPlace | null
}

/** `GET /objects/{hash}/types/{kind}/{name}`: types that a program was compiled with. */
export interface ObjectTypesJson {
  /** The object's hash. */
  readonly object: string
  readonly types: readonly TypeDefinition[]
}

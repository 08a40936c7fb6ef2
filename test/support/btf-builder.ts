import { ByteWriter, concat, type ByteOrder } from './byte-writer.js'

export const KIND = {
  VOID: 0,
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19
} as const

export const ENCODING = { NONE: 0, SIGNED: 1, CHAR: 2, BOOL: 4 } as const

export interface Member {
  readonly name: string
  readonly type: number
  readonly bits: number
  readonly bitfield?: number
}

export type Enumerator = readonly [name: string, value: number | bigint]
export type Param = readonly [name: string, type: number]

/** A plain member at a byte offset. */
export function at (name: string, byteOffset: number, type: number): Member {
  return { name, type, bits: byteOffset * 8 }
}

/** A bitfield member: `size` bits from bit `bits`. */
export function bitsAt (name: string, bits: number, size: number, type: number): Member {
  return { name, type, bits, bitfield: size }
}

export interface RawType {
  readonly name?: string
  readonly nameOff?: number
  readonly kind: number
  readonly vlen?: number
  readonly kindFlag?: boolean
  readonly sizeOrType?: number
  readonly tail?: readonly number[]
}

/** Values that replace what `bytes()` computes, to make malformed or unusual files. */
export interface BtfLayoutOptions {
  readonly magic?: number
  readonly version?: number
  readonly flags?: number
  readonly hdrLen?: number
  /** What fills header bytes past the last known field. */
  readonly headerFill?: number
  readonly typeOff?: number
  readonly typeLen?: number
  readonly strOff?: number
  readonly strLen?: number
  readonly layoutOff?: number
  readonly layoutLen?: number
  /** One [info_sz, elem_sz, flags] entry per kind, from kind 0 on. */
  readonly layout?: ReadonlyArray<readonly [infoSize: number, elementSize: number, flags?: number]>
  readonly strings?: Uint8Array
  readonly stringsFirst?: boolean
  readonly afterTypes?: Uint8Array
  readonly trailing?: Uint8Array
}

export interface BtfOptions {
  readonly byteOrder?: ByteOrder
  readonly base?: BtfBuilder
}

const MAGIC = 0xeb9f
const encoder = new TextEncoder()

/**
 * Writes BTF type by type; every type method returns the id of the type it added.
 *
 * `nextId` is the id that the next type will get, for types that refer to themselves or to later ones.
 */
export class BtfBuilder {
  readonly byteOrder: ByteOrder
  readonly base: BtfBuilder | undefined
  readonly #types: ByteWriter
  readonly #strings = new Map<string, number>()
  #stringBytes: number[] = []
  #count = 0

  constructor (options: BtfOptions = {}) {
    this.base = options.base
    this.byteOrder = options.byteOrder ?? options.base?.byteOrder ?? 'little'
    this.#types = new ByteWriter(this.byteOrder)
    if (this.base === undefined) {
      this.#stringBytes.push(0)
      this.#strings.set('', 0)
    }
  }

  get startId (): number {
    return this.base === undefined ? 1 : this.base.nextId
  }

  get nextId (): number {
    return this.startId + this.#count
  }

  get stringLength (): number {
    return this.#stringBytes.length
  }

  get #startStringOffset (): number {
    return this.base === undefined ? 0 : this.base.#startStringOffset + this.base.stringLength
  }

  /** The offset of `text` in the string section, adding it when neither this BTF nor a base has it. */
  string (text: string): number {
    const known = this.#findString(text)
    if (known !== undefined) return known
    const offset = this.#startStringOffset + this.#stringBytes.length
    for (const byte of encoder.encode(text)) this.#stringBytes.push(byte)
    this.#stringBytes.push(0)
    this.#strings.set(text, offset)
    return offset
  }

  #findString (text: string): number | undefined {
    const own = this.#strings.get(text)
    return own === undefined && this.base !== undefined ? this.base.#findString(text) : own
  }

  raw (type: RawType): number {
    const info = BigInt(type.vlen ?? 0) | (BigInt(type.kind) << 24n) | (type.kindFlag === true ? 1n << 31n : 0n)
    this.#types
      .u32(type.nameOff ?? this.string(type.name ?? ''))
      .u32(Number(info))
      .u32(type.sizeOrType ?? 0)
    for (const word of type.tail ?? []) this.#types.u32(word)
    return this.startId + this.#count++
  }

  int (name: string, size: number, options: { signed?: boolean, encoding?: number, bits?: number, offset?: number } = {}): number {
    const encoding = options.encoding ?? (options.signed === true ? ENCODING.SIGNED : ENCODING.NONE)
    const word = (encoding << 24) | ((options.offset ?? 0) << 16) | (options.bits ?? (size * 8) & 0xff)
    return this.raw({ name, kind: KIND.INT, sizeOrType: size, tail: [word] })
  }

  ptr (type: number): number {
    return this.raw({ kind: KIND.PTR, sizeOrType: type })
  }

  array (element: number, count: number, index = element): number {
    return this.raw({ kind: KIND.ARRAY, tail: [element, index, count] })
  }

  struct (name: string, size: number, members: readonly Member[] = [], kindFlag?: boolean): number {
    return this.#composite(KIND.STRUCT, name, size, members, kindFlag)
  }

  union (name: string, size: number, members: readonly Member[] = [], kindFlag?: boolean): number {
    return this.#composite(KIND.UNION, name, size, members, kindFlag)
  }

  #composite (kind: number, name: string, size: number, members: readonly Member[], flag: boolean | undefined): number {
    const kindFlag = flag ?? members.some(member => member.bitfield !== undefined)
    const tail = members.flatMap(member => [
      this.string(member.name),
      member.type,
      kindFlag ? (member.bits & 0xffffff) + (member.bitfield ?? 0) * 0x1000000 : member.bits
    ])
    return this.raw({ name, kind, vlen: members.length, kindFlag, sizeOrType: size, tail })
  }

  enum (name: string, values: readonly Enumerator[], options: { size?: number, signed?: boolean } = {}): number {
    const tail = values.flatMap(([valueName, value]) => [this.string(valueName), Number(value)])
    return this.raw({ name, kind: KIND.ENUM, vlen: values.length, kindFlag: options.signed === true, sizeOrType: options.size ?? 4, tail })
  }

  enum64 (name: string, values: readonly Enumerator[], options: { size?: number, signed?: boolean } = {}): number {
    const tail = values.flatMap(([valueName, value]) => {
      const wide = BigInt.asUintN(64, BigInt(value))
      return [this.string(valueName), Number(wide & 0xffffffffn), Number(wide >> 32n)]
    })
    return this.raw({
      name, kind: KIND.ENUM64, vlen: values.length, kindFlag: options.signed === true, sizeOrType: options.size ?? 8, tail
    })
  }

  fwd (name: string, of: 'struct' | 'union' = 'struct'): number {
    return this.raw({ name, kind: KIND.FWD, kindFlag: of === 'union' })
  }

  typedef (name: string, type: number): number {
    return this.raw({ name, kind: KIND.TYPEDEF, sizeOrType: type })
  }

  volatile (type: number): number {
    return this.raw({ kind: KIND.VOLATILE, sizeOrType: type })
  }

  const (type: number): number {
    return this.raw({ kind: KIND.CONST, sizeOrType: type })
  }

  restrict (type: number): number {
    return this.raw({ kind: KIND.RESTRICT, sizeOrType: type })
  }

  func (name: string, proto: number, linkage = 1): number {
    return this.raw({ name, kind: KIND.FUNC, vlen: linkage, sizeOrType: proto })
  }

  funcProto (result: number, params: readonly Param[] = []): number {
    const tail = params.flatMap(([name, type]) => [this.string(name), type])
    return this.raw({ kind: KIND.FUNC_PROTO, vlen: params.length, sizeOrType: result, tail })
  }

  var (name: string, type: number, linkage = 1): number {
    return this.raw({ name, kind: KIND.VAR, sizeOrType: type, tail: [linkage] })
  }

  datasec (name: string, size: number, vars: ReadonlyArray<readonly [type: number, offset: number, size: number]>): number {
    return this.raw({ name, kind: KIND.DATASEC, vlen: vars.length, sizeOrType: size, tail: vars.flat() })
  }

  float (name: string, size: number): number {
    return this.raw({ name, kind: KIND.FLOAT, sizeOrType: size })
  }

  declTag (name: string, type: number, component = -1, kindFlag = false): number {
    return this.raw({ name, kind: KIND.DECL_TAG, kindFlag, sizeOrType: type, tail: [component] })
  }

  typeTag (name: string, type: number, kindFlag = false): number {
    return this.raw({ name, kind: KIND.TYPE_TAG, kindFlag, sizeOrType: type })
  }

  bytes (options: BtfLayoutOptions = {}): Uint8Array {
    const types = concat(this.#types.finish(), options.afterTypes ?? new Uint8Array())
    const strings = options.strings ?? Uint8Array.from(this.#stringBytes)
    const layout = this.#layoutBytes(options.layout ?? [])
    const hdrLen = options.hdrLen ?? (layout.length > 0 ? 32 : 24)

    const stringsAt = options.stringsFirst === true ? 0 : types.length + layout.length
    const typesAt = options.stringsFirst === true ? alignTo4(strings.length) : 0
    const layoutAt = typesAt + types.length
    const body = new Uint8Array(Math.max(stringsAt + strings.length, layoutAt + layout.length))
    body.set(types, typesAt)
    body.set(layout, layoutAt)
    body.set(strings, stringsAt)

    const header = new ByteWriter(this.byteOrder)
      .u16(options.magic ?? MAGIC)
      .u8(options.version ?? 1)
      .u8(options.flags ?? 0)
      .u32(hdrLen)
      .u32(options.typeOff ?? typesAt)
      .u32(options.typeLen ?? types.length)
      .u32(options.strOff ?? stringsAt)
      .u32(options.strLen ?? strings.length)
    if (hdrLen >= 32) {
      header
        .u32(options.layoutOff ?? (layout.length > 0 ? layoutAt : 0))
        .u32(options.layoutLen ?? layout.length)
    }
    while (header.length < hdrLen) header.u8(options.headerFill ?? 0)
    return concat(header.finish(), body, options.trailing ?? new Uint8Array())
  }

  #layoutBytes (entries: NonNullable<BtfLayoutOptions['layout']>): Uint8Array {
    const writer = new ByteWriter(this.byteOrder)
    for (const [infoSize, elementSize, flags] of entries) writer.u8(infoSize).u8(elementSize).u16(flags ?? 0)
    return writer.finish()
  }
}

export function btf (options: BtfOptions = {}): BtfBuilder {
  return new BtfBuilder(options)
}

/** The layout that describes kinds 0 to 19 as they are, with further entries appended for kinds from 20 on. */
export function layoutOfKnownKinds (
  ...further: ReadonlyArray<readonly [number, number, number?]>
): Array<readonly [number, number, number?]> {
  return [
    [0, 0], [4, 0], [0, 0], [12, 0], [0, 12], [0, 12], [0, 8], [0, 0], [0, 0], [0, 0],
    [0, 0], [0, 0], [0, 0], [0, 8], [4, 0], [0, 12], [0, 0], [4, 0], [0, 0], [0, 12],
    ...further
  ]
}

/** The integer types that most tests need, added to `builder`. */
export function integers (builder: BtfBuilder) {
  return {
    int: builder.int('int', 4, { signed: true }),
    uint: builder.int('unsigned int', 4),
    char: builder.int('char', 1, { signed: true }),
    uchar: builder.int('unsigned char', 1),
    short: builder.int('short', 2, { signed: true }),
    ushort: builder.int('unsigned short', 2),
    llong: builder.int('long long', 8, { signed: true }),
    ullong: builder.int('unsigned long long', 8),
    bool: builder.int('_Bool', 1, { encoding: ENCODING.BOOL })
  }
}

function alignTo4 (length: number): number {
  return (length + 3) & ~3
}

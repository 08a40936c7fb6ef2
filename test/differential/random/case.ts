import { AppError } from '../../../src/errors.js'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { assembler } from '../../support/asm.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject, type BuiltObject, type CoreRecord, type ReloName } from '../../support/object-builder.js'
import { makeInstruction, type Value } from './instruction.js'
import { makeLocalTypes } from './local-types.js'
import { makeTarget } from './mutate.js'
import { random, type Random } from './random.js'
import { emit, isEnum, nameOf, strip, type Type } from './types.js'
import { walk, type Walk } from './walk.js'
import { relocate, type Relocation } from '../../support/relocate.js'

/** What two versions of libbpf do differently, and a comparison with the older one must leave out. See differences.test.ts. */
export interface Features {
  /** Loads and stores of array elements: since 1.6 their size is the element's. */
  readonly arrayAccess: boolean
  /** Refusal of negative numbers in access strings: since 1.8. */
  readonly negativeIndex: boolean
}

/** An object, a kernel's BTF, and what the test needs to know to tell where they disagree. */
export interface RandomCase {
  readonly seed: number
  readonly object: BuiltObject
  readonly btf: Uint8Array
  /** The types that the kernel's BTF has. */
  readonly kernel: readonly Type[]
  /** The records that belong to a function, in file order. */
  readonly records: readonly PlacedRecord[]
  readonly programs: readonly PlacedProgram[]
  readonly relocation: Relocation | AppError
}

export interface PlacedRecord {
  readonly program: string
  /** Its number within its block, as libbpf counts. */
  readonly number: number
}

export interface PlacedProgram {
  readonly name: string
  readonly section: string
  /** Bytes from the start of the section. */
  readonly start: number
  readonly size: number
}

/** A relocation that the program asks for. */
interface Wish {
  readonly kind: ReloName | number
  readonly root: Type
  readonly typeId?: number
  readonly access: string
  readonly walk?: Walk
}

interface Place {
  readonly section: string
  readonly name: string
  readonly hasSymbol: boolean
}

/** The case of this seed, and our engine's word on it. */
export function makeCase (seed: number, features: Features): RandomCase {
  const r = random(seed)
  const local = makeLocalTypes(r)
  const wishes = makeWishes(r, local.types, features)
  const kernel = makeTarget(r, local, wishes.map(({ root }) => root))
  const target = emit(kernel)
  const btf = target.builder.bytes({ hdrLen: r.chance(0.2) ? 32 : 24 })
  const { builder, idOf } = emit(local.types)
  const places = makePlaces(r, wishes.length)
  const options: BuildOptions = {
    shufflesRecords: r.chance(0.15), recordSize: r.chance(0.1) ? 20 : 16, doubles: r.chance(0.1), misplaces: r.chance(0.03)
  }
  const layoutSeed = r.nat(2 ** 32)
  const values = compiledValues(wishes.map(wish => ({ ...wish, typeId: wish.typeId ?? idOf(wish.root) })), builder)

  let chosen = wishes.map((wish, i) => {
    const value: Value = { value: values[i] ?? 0n, walk: wish.walk }
    return { wish, place: places[i], code: makeInstruction(r, wish.kind, value, features) }
  })
  const wantsSuccess = r.chance(0.5)
  for (let attempt = 0; ; attempt++) {
    const built = assemble(random(layoutSeed), chosen.map(({ wish, place, code }) =>
      ({ wish, place, code, typeId: wish.typeId ?? idOf(wish.root) })), builder, options)
    const relocation = relocateOrRefuse(built.object, btf)
    if (relocation instanceof AppError || relocation.ok || !wantsSuccess || attempt === 4) {
      return { seed, btf, kernel, relocation, ...built }
    }
    // One refusal hides all that comes after it: many cases go on without the records that are refused.
    const failed = new Set(relocation.records.flatMap((record, i) => record.status === 'failed' ? [built.sources[i]] : []))
    chosen = chosen.filter((_, i) => !failed.has(i))
  }
}

function relocateOrRefuse (object: BuiltObject, btf: Uint8Array): Relocation | AppError {
  try {
    return relocate(parseObject(object.bytes), parseBtf(btf))
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

const FIELD_KINDS: readonly ReloName[] = ['byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64']
const MEMBER_KINDS: readonly ReloName[] = ['signed', 'lshift_u64', 'rshift_u64']
const TYPE_KINDS: readonly ReloName[] = ['local_type_id', 'target_type_id', 'type_exists', 'type_size', 'type_matches', 'type_matches']

const MALFORMED = [
  '', ':0', '0:', '0::1', '0a', '0:a', '0 1', ' 0', '0:+1', '00:01', '0:99', '0:0:0:0:0', '4294967296', '0x0', '1:1', '0 ',
  Array(64).fill('0').join(':'), Array(65).fill('0').join(':')
]
const NEGATIVE = ['0:-1', '-1', '2147483648', '0:0:-2']

function makeWishes (r: Random, types: readonly Type[], features: Features): Wish[] {
  const named = types.filter(type =>
    nameOf(type) !== '' && !['int', 'float', 'func', 'var', 'datasec', 'decl_tag', 'type_tag'].includes(type.kind))
  // Few roots, many records: so that one record narrows the candidates of the next.
  const roots = Array.from({ length: 1 + r.nat(4) }, () => r.chance(0.97) && named.length > 0 ? r.pick(named) : r.pick(types))
  return Array.from({ length: 1 + r.nat(12) }, () => makeWish(r, r.pick(roots), types, features))
}

function makeWish (r: Random, root: Type, types: readonly Type[], features: Features): Wish {
  const kind = isEnum(strip(root)) && r.chance(0.7)
    ? r.pick(['enumval_exists', 'enumval_value'] as const)
    : r.chance(0.25) ? r.pick(TYPE_KINDS) : r.chance(0.3) ? 'byte_off' : r.pick(FIELD_KINDS)
  if (r.chance(0.02)) {
    switch (r.nat(4)) {
      case 0: return { kind: r.pick([13, 14, 0xffffffff]), root, access: '0' }
      case 1: return { kind, root, typeId: types.length + r.pick([1, 2, 100_000]), access: '0' }
      case 2: return { kind, root, typeId: 0, access: '0' }
      default: return { kind: r.pick(FIELD_KINDS), root, access: r.pick(features.negativeIndex ? [...MALFORMED, ...NEGATIVE] : MALFORMED) }
    }
  }
  if (TYPE_KINDS.includes(kind)) return { kind, root, access: r.chance(0.98) ? '0' : r.pick(['00', '1', '0:0']) }
  if (!FIELD_KINDS.includes(kind)) {
    const bare = strip(root)
    return { kind, root, access: String(r.nat((isEnum(bare) ? bare.values.length : 1) + (r.chance(0.02) ? 1 : 0))) }
  }
  let found = walk(r, root)
  for (let i = 0; i < 4 && !found.isNamed; i++) found = walk(r, root)
  const isRefused = !found.isNamed && MEMBER_KINDS.includes(kind) && r.chance(0.9)
  return { kind: isRefused ? r.pick(['byte_off', 'byte_sz', 'field_exists']) : kind, root, access: found.path.join(':'), walk: found }
}

const SECTIONS = ['raw_tp/a', 'kprobe/b', 'socket', 'tracepoint/c/d', 'tc']

/** Which function each relocation is in. */
function makePlaces (r: Random, count: number): Place[] {
  const sections = r.shuffled(SECTIONS).slice(0, 1 + r.nat(3))
  const places: Place[] = sections.map((section, i) => ({ section, name: `prog${i}`, hasSymbol: true }))
  if (r.chance(0.2)) places.push({ section: sections[0] ?? '', name: 'second', hasSymbol: true })
  if (r.chance(0.1)) places.push({ section: sections[0] ?? '', name: 'gone', hasSymbol: false })
  if (r.chance(0.15)) places.push({ section: '.text', name: 'sub', hasSymbol: true })
  if (r.chance(0.1)) places.push({ section: '?raw_tp/optional', name: 'optional', hasSymbol: true })
  return Array.from({ length: count }, (_, i) => places[i % places.length] ?? r.pick(places))
}

/** What a compiler would write for each relocation, as our engine reads the local types; the oracle checks that too. */
function compiledValues (wishes: ReadonlyArray<Wish & { typeId: number }>, builder: ReturnType<typeof emit>['builder']): bigint[] {
  const asm = assembler('little')
  const section = 'raw_tp/a'
  const records = wishes.map((wish, i): CoreRecord =>
    ({ section, insnOff: i * 8, typeId: wish.typeId, kind: wish.kind, access: wish.access }))
  const object = buildObject({
    local: builder, programs: [{ section, name: 'a', code: concat(...wishes.map(() => asm.mov(1, 0)), asm.exit()) }], records
  })
  const relocation = relocate(object.bytes, parseBtf(builder.bytes()))
  return relocation.records.map(({ oldValue }) => oldValue)
}

interface BuildOptions {
  /** Records in no order, so that blocks of sections alternate. */
  readonly shufflesRecords: boolean
  readonly recordSize: number
  /** Some instructions have two records. */
  readonly doubles: boolean
  /** Some records point into the middle of something. */
  readonly misplaces: boolean
}

interface Line {
  readonly wish: Wish
  readonly typeId: number
  readonly place: Place | undefined
  readonly code: Uint8Array
}

interface Assembled {
  readonly object: BuiltObject
  readonly records: readonly PlacedRecord[]
  readonly programs: readonly PlacedProgram[]
  /** For each of `records`, the line it is from. */
  readonly sources: readonly number[]
}

function assemble (r: Random, lines: readonly Line[], builder: ReturnType<typeof emit>['builder'], options: BuildOptions): Assembled {
  const asm = assembler('little')
  const places = [...new Set(lines.flatMap(({ place }) => place ?? []))]
  // An object needs a program that is loaded by itself.
  if (!places.some(({ section, hasSymbol }) => hasSymbol && SECTIONS.includes(section))) {
    places.unshift({ section: 'socket', name: 'prog', hasSymbol: true })
  }
  const ends = new Map<string, number>()
  const programs: Array<PlacedProgram & { code: Uint8Array, hasSymbol: boolean }> = []
  const records: Array<CoreRecord & { place: Place, source: number }> = []
  for (const place of places) {
    const start = ends.get(place.section) ?? 0
    const parts: Uint8Array[] = []
    let at = start
    lines.forEach((line, source) => {
      if (line.place !== place) return
      const shift = options.misplaces && r.chance(0.3) ? r.pick([4, 8]) : 0
      const times = options.doubles && r.chance(0.4) ? 2 : 1
      for (let i = 0; i < times; i++) {
        records.push({
          section: place.section, insnOff: at + shift, typeId: line.typeId, kind: line.wish.kind, access: line.wish.access, place, source
        })
      }
      parts.push(line.code)
      at += line.code.length
    })
    parts.push(asm.exit())
    at += 8
    ends.set(place.section, at)
    programs.push({ name: place.name, section: place.section, start, size: at - start, code: concat(...parts), hasSymbol: place.hasSymbol })
  }
  const ordered = options.shufflesRecords ? r.shuffled(records) : records
  const object = buildObject({
    local: builder,
    programs: programs.map(({ section, name, code, hasSymbol }) => ({ section, name, code, symbol: hasSymbol })),
    records: ordered,
    ext: { parts: { core_relo: { recordSize: options.recordSize } } }
  })
  const numbers = numberInBlocks(ordered)
  const isLive = ({ place, insnOff }: typeof records[number]) => place.hasSymbol || insnOff % RECORD_ALIGNMENT !== 0
  return {
    object,
    programs: programs.filter(({ hasSymbol }) => hasSymbol).map(({ name, section, start, size }) => ({ name, section, start, size })),
    records: ordered.flatMap((record, i) => isLive(record) ? [{ program: record.place.name, number: numbers[i] ?? -1 }] : []),
    sources: ordered.flatMap(record => isLive(record) ? [record.source] : [])
  }
}

const RECORD_ALIGNMENT = 8

/** Records of one section that follow each other are a block. */
function numberInBlocks (records: readonly CoreRecord[]): number[] {
  let number = -1
  return records.map((record, i) => {
    number = record.section === records[i - 1]?.section ? number + 1 : 0
    return number
  })
}

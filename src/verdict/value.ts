import type { Code } from './code.js'
import { ANY_NUMBER, sameBounds } from './bounds.js'
import type { MapShape } from './maps.js'
import { includes, isConstant, isZero, scalar, scalarWithId, union, VAGUE, type Scalar } from './scalar.js'

/** A pointer into the stack of a frame of the call chain. */
export interface StackPointer {
  readonly kind: 'stack'
  /** 0 is the program's own frame. */
  readonly frame: number
  /** Bytes from the frame pointer, negative; undefined where it is not known. */
  readonly offset: number | undefined
}

/** A pointer into a data section of the object, which is a map at load. */
export interface DataPointer {
  readonly kind: 'data'
  readonly data: DataRegion
  /** Bytes from the start of the region; undefined where it is not known. */
  readonly offset: number | undefined
}

/** Bytes whose values the verifier knows, because the map that has them is read-only and frozen. */
export interface DataRegion {
  /** The value of `size` bytes at `offset`, with what it rests on; undefined where it is not known. */
  readonly read: (offset: number, size: number) => Scalar | undefined
  /** The same as a number alone, which costs a small part of it. As u64; undefined too where what is known is no one number. */
  readonly numberAt: (offset: number, size: number) => bigint | undefined
}

/**
 * Any other pointer. `maybe`: the verifier takes it for null or not; `likely`: so, unless it knows that it is not null; `no`: it
 * is not null; `unclear`: the verifier could know that it is not null, or that it is a number.
 */
export interface OtherPointer {
  readonly kind: 'pointer'
  readonly null: 'maybe' | 'likely' | 'no' | 'unclear'
  /** Whether it is one to a map itself or to memory that is no map's, which older verifiers compare with null even where it is not null. */
  readonly isOfMemory: boolean
  /** Whether 8 bytes loaded from there may be a pointer, too. */
  readonly deep: boolean
  /** Equal for copies. */
  readonly id: number
  /** Of a pointer to a map itself; undefined where it is none, or not known which. */
  readonly map: MapShape | undefined
}

/** The address of a function of the object, for a callback. */
export interface FunctionPointer {
  readonly kind: 'function'
  readonly code: Code
}

export type Value = Scalar | StackPointer | DataPointer | OtherPointer | FunctionPointer

/**
 * What pointers of some kind have. All are made here and have all of it, in this order, so that they have one hidden class: what reads
 * values is much slower where there are many, and is compiled anew when it meets another one.
 */
interface Shape {
  readonly null: OtherPointer['null'] | undefined
  readonly isOfMemory: boolean | undefined
  readonly deep: boolean | undefined
  readonly id: number
  readonly frame: number
  readonly offset: number | undefined
  readonly data: DataRegion | undefined
  readonly code: Code | undefined
  readonly map: MapShape | undefined
}

export function pointerOf (nullness: OtherPointer['null'], isOfMemory: boolean, deep: boolean, id = 0, map?: MapShape): OtherPointer {
  const made: OtherPointer & Shape = {
    kind: 'pointer', null: nullness, isOfMemory, deep, id, frame: 0, offset: undefined, data: undefined, code: undefined, map
  }
  return made
}

export function stackPointer (frame: number, offset: number | undefined): StackPointer {
  const made: StackPointer & Shape = {
    kind: 'stack',
    null: undefined,
    isOfMemory: undefined,
    deep: undefined,
    id: 0,
    frame,
    offset,
    data: undefined,
    code: undefined,
    map: undefined
  }
  return made
}

/** Of the frames that a call chain may have. */
const FRAME_POINTERS = Array.from({ length: 8 }, (_, frame) => stackPointer(frame, 0))

/** The frame pointer, which is asked for by each use of the stack. */
export function framePointerOf (frame: number): StackPointer { return FRAME_POINTERS[frame] ?? stackPointer(frame, 0) }

export function dataPointer (data: DataRegion, offset: number | undefined): DataPointer {
  const made: DataPointer & Shape = {
    kind: 'data',
    null: undefined,
    isOfMemory: undefined,
    deep: undefined,
    id: 0,
    frame: 0,
    offset,
    data,
    code: undefined,
    map: undefined
  }
  return made
}

export function functionPointer (code: Code): FunctionPointer {
  const made: FunctionPointer & Shape = {
    kind: 'function',
    null: undefined,
    isOfMemory: undefined,
    deep: undefined,
    id: 0,
    frame: 0,
    offset: undefined,
    data: undefined,
    code,
    map: undefined
  }
  return made
}

export const UNCLEAR = pointerOf('unclear', true, true)
export const NOT_NULL = pointerOf('no', false, false)
/** Any map. */
export const MAP = pointerOf('no', true, false)

export function mapPointer (map: MapShape): OtherPointer { return pointerOf('no', true, false, 0, map) }

export function sameValue (a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined || a.kind !== b.kind) return false
  switch (a.kind) {
    case 'scalar': return b.kind === 'scalar' && a.exact === b.exact && sameBounds(a.bounds, b.bounds)
    case 'stack': return b.kind === 'stack' && a.frame === b.frame && a.offset === b.offset
    case 'data': return b.kind === 'data' && a.data === b.data && a.offset === b.offset
    case 'pointer': return b.kind === 'pointer' && a.map === b.map && sameButMap(a, b)
    case 'function': return b.kind === 'function' && a.code === b.code
  }
}

function sameButMap (a: OtherPointer, b: OtherPointer): boolean {
  return a.null === b.null && a.deep === b.deep && a.isOfMemory === b.isOfMemory
}

/** Whether everything that holds for `b` holds for `a`; an `a` that is wider must be exact, so that what it leads to is certain too. */
export function covers (a: Value | undefined, b: Value | undefined, ids: IdPairs, needsExact: boolean): boolean {
  if (a === undefined) return b === undefined || !needsExact
  if (b === undefined) return false
  return allows(a, b, needsExact) && sameId(idOf(a), idOf(b), ids)
}

function allows (a: Value, b: Value, needsExact: boolean): boolean {
  if (sameValue(a, b)) return true
  if (a.kind === 'scalar' && b.kind === 'scalar') return (a.exact || !needsExact) && includes(a, b)
  if (a.kind !== 'pointer' || needsExact) return false
  return a.null === 'unclear' || (b.kind === 'pointer' && a.map === undefined && sameButMap(a, b))
}

function sameId (a: number, b: number, ids: IdPairs): boolean {
  if (a === 0) return true
  const known = pairOf(a, ids)
  if (known !== undefined) return known === b
  if (ids.list.length < 2 * FEW_IDS) ids.list.push(a, b)
  else (ids.table ??= new Map()).set(a, b)
  return b !== 0
}

/** Ids of two states that stand for each other. Comparing states is frequent, and most have few ids. */
export interface IdPairs {
  /** The first of them, one behind the other. */
  readonly list: number[]
  /** The others. */
  table: Map<number, number> | undefined
}

/** Ids that are looked for one by one; for more a table pays. */
export const FEW_IDS = 16

function pairOf (id: number, { list, table }: IdPairs): number | undefined {
  for (let i = 0; i < list.length; i += 2) if (list[i] === id) return list[i + 1]
  return table?.get(id)
}

export function idOf (value: Value): number { return value.kind === 'scalar' || value.kind === 'pointer' ? value.id : 0 }

export function withId (value: Value, id: number): Value {
  if (value.kind === 'scalar') return isConstant(value) || value.id === id ? value : scalarWithId(value, id)
  return value.kind === 'pointer' ? pointerWithId(value, id) : value
}

/** The same pointer with another id. */
export function pointerWithId ({ null: nullness, isOfMemory, deep, map }: OtherPointer, id: number): OtherPointer {
  return pointerOf(nullness, isOfMemory, deep, id, map)
}

/** What is known of a place that has `a` on one path and `b` on another. */
export function join (a: Value | undefined, b: Value | undefined): Value | undefined {
  if (a === undefined || b === undefined) return undefined
  if (sameValue(a, b)) return idOf(a) === idOf(b) ? a : withId(a, 0)
  if (a.kind === 'scalar' && b.kind === 'scalar') return scalar(ANY_NUMBER, { exact: false, from: union(a.from, b.from) })
  if (a.kind === 'stack' && b.kind === 'stack' && a.frame === b.frame) return stackPointer(a.frame, undefined)
  if (a.kind === 'data' && b.kind === 'data' && a.data === b.data) return dataPointer(a.data, undefined)
  if (a.kind === 'function' || b.kind === 'function' || a.kind === 'stack' || b.kind === 'stack') return undefined
  if (a.kind === 'pointer' && b.kind === 'pointer' && sameButMap(a, b)) return pointerOf(a.null, a.isOfMemory, a.deep)
  return UNCLEAR
}

export const asScalar = (value: Value | undefined): Scalar => value?.kind === 'scalar' ? value : VAGUE
export const isNullConstant = (value: Value): boolean => value.kind === 'scalar' && isZero(value)

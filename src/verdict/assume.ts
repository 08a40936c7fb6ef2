import type { BpfObject } from '../core/object.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { packVersion } from './age.js'
import { memberNames, placesOf, settableVariables, type Settable, type SettablePlace } from './settable.js'

/** A value as it is written: a number, or what kernel configurations have. What `y` is depends on the extern's type. */
export type AssumedValue = bigint | 'y' | 'n' | 'm'

/** What is assumed about one variable. */
export interface Assumption {
  /**
   * `enabled`, or `.rodata.enabled` where sections are to be told apart; `CONFIG_HZ`; a part of a variable by member or by offset in
   * bytes: `CFG.enabled`, `CFG.limits[2]`, `CFG+18`.
   */
  readonly name: string
  readonly value: AssumedValue
}

const FORM = /^\s*([A-Za-z_.$][\w.$+[\]]{0,255})\s*=\s*(\S.*)$/s
const NUMBER = /^(-?)(0x[0-9a-f]{1,16}|\d{1,20})$/i
/** LINUX_KERNEL_VERSION as a verdict tells it. */
const VERSION = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const NOUNS: Readonly<Record<string, AssumedValue>> = { true: 1n, false: 0n, y: 'y', n: 'n', m: 'm' }
const LOWEST = -(1n << 63n)
const HIGHEST = (1n << 64n) - 1n
/** Names that a message lists. */
const NAMES_SHOWN = 100

/**
 * Reads `name=value`: a decimal or hex number of at most 64 bits, `true`, `false`, or for a configuration value `y`, `n`, `m`.
 *
 * @throws AppError `invalid_request` of the field `assume`
 */
function parseAssumption (text: string): Assumption {
  const [, name, written] = FORM.exec(text) ?? []
  if (name === undefined || written === undefined) {
    throw invalid(`${quote(text)} is not an assumption. Write name=value, such as enabled=1.`)
  }
  const trimmed = written.trimEnd()
  const value = NOUNS[trimmed] ?? toNumber(trimmed) ?? (/^(\.kconfig\.)?LINUX_KERNEL_VERSION$/.test(name) ? toVersion(trimmed) : undefined)
  if (value === undefined) {
    throw invalid(`The value of ${quote(text)} must be a decimal or hex number of at most 64 bits, true, false, y, n or m.`)
  }
  return { name, value }
}

/**
 * Assumptions by their names.
 *
 * @throws AppError `invalid_request` of the field `assume`, also for a name that is given twice
 */
export function parseAssumptions (texts: readonly string[]): ReadonlyMap<string, AssumedValue> {
  if (texts.length > LIMITS.assumptions) throw invalid(`${texts.length} values are assumed; at most ${LIMITS.assumptions} are allowed.`)
  const assumed = new Map<string, AssumedValue>()
  for (const text of texts) {
    const { name, value } = parseAssumption(text)
    if (assumed.has(name)) throw invalid(`${name} is assumed twice; give it one value.`)
    assumed.set(name, value)
  }
  return assumed
}

/**
 * What assumptions mean in an object, for `judge`.
 *
 * @throws AppError `invalid_request` of the field `assume`, where the object has no such variable, or it cannot have the value
 */
export function resolveAssumptions (object: BpfObject, assumed: ReadonlyMap<string, AssumedValue>): ReadonlyMap<string, bigint> {
  if (assumed.size === 0) return new Map()
  const variables = settableVariables(object)
  const meanings = new Map<string, string>()
  return new Map([...assumed].map(([name, value]) => {
    const places = placesOf(object, variables, name)
    if (places.length === 0) throw unknownName(name, variables)
    for (const { section, offset, variable } of places) {
      const place = `${section ?? variable?.name} ${offset}`
      const other = meanings.get(place)
      if (other !== undefined) throw invalid(`${other} and ${name} are one place; give it one value.`)
      meanings.set(place, name)
    }
    return [name, places.map(place => valueOf(object, place, name, value))[0] ?? 0n]
  }))
}

const TRISTATE = { n: 0n, y: 1n, m: 2n }

function valueOf (object: BpfObject, place: SettablePlace, name: string, value: AssumedValue): bigint {
  const { variable, section, size } = place
  const kind = variable?.kind ?? 'number'
  if (typeof value !== 'bigint') {
    if (section !== undefined) throw invalid(`${name} is a variable. It takes a number, not ${value}.`)
    if (kind === 'tristate') return TRISTATE[value]
    if (kind === 'char') return BigInt(value.charCodeAt(0))
    if (kind === 'bool' && value !== 'm') return TRISTATE[value]
    throw invalid(`${name} cannot be ${value}: the object declares it as ${kind === 'bool' ? 'a bool' : 'a number'}.`)
  }
  if (size === Infinity) throw invalid(`${name} has the type of a text; only values of at most 8 bytes can be assumed.`)
  if (size !== undefined && size > 8) {
    throw invalid(`${name} has ${size} bytes; only values of at most 8 bytes can be assumed. ` +
      `Name a part of it, such as ${partsOf(object, place, name)}.`)
  }
  if (size === undefined) return value
  const bytes = bytesOf(place, name, value)
  if (bytes === undefined) throw invalid(`${name} has ${size} ${size === 1 ? 'byte' : 'bytes'}; ${value} does not fit in it.`)
  return BigInt.asUintN(8 * bytes, value)
}

/** Parts that a message names. */
const PARTS_SHOWN = 3

function partsOf (object: BpfObject, { variable }: SettablePlace, name: string): string {
  const isWhole = variable !== undefined && [variable.name, variable.qualified].includes(name)
  const members = isWhole ? memberNames(object, variable).slice(0, PARTS_SHOWN).map(member => `${name}.${member}`) : []
  return members.length > 0 ? `${members.join(', ')}, or by its offset ${name}+0` : isWhole ? `${name}+0` : 'a member or an offset'
}

/**
 * Bytes that a value takes at a place; undefined where it does not fit. Programs read more than one element of an array at once, so that
 * at an offset it may be larger than what the types have there.
 */
export function bytesOf ({ size = 0, room }: SettablePlace, name: string, value: bigint): number | undefined {
  const fits = (bytes: number): boolean => value < 1n << BigInt(8 * bytes) && value >= -(1n << BigInt(8 * bytes)) / 2n
  if (fits(size)) return size
  return name.includes('+') ? [2, 4, 8].find(bytes => bytes > size && bytes <= room && fits(bytes)) : undefined
}

/** Formats of bpf_printk() and the like, which nobody sets. */
const FORMAT = /(^|\.)_{2,}fmt/

function unknownName (name: string, variables: readonly Settable[]): AppError {
  const names = [...new Set(variables.filter(({ size }) => size !== Infinity).map(({ name }) => name))].filter(name => !FORMAT.test(name))
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  const rest = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
  return new AppError('invalid_request', names.length === 0
    ? `The object has no variable ${name} in .rodata, and no .kconfig extern of that name; it has no variable whose value can be assumed.`
    : `The object has no variable ${name} in .rodata, and no .kconfig extern of that name; it has ${shown}${rest}.`,
  { field: 'assume', names: names.slice(0, NAMES_SHOWN) })
}

function toVersion (text: string): bigint | undefined {
  const [, major, minor, patch] = VERSION.exec(text) ?? []
  if (major === undefined || minor === undefined || patch === undefined) return undefined
  return packVersion(Number(major), Number(minor), Number(patch))
}

function toNumber (text: string): bigint | undefined {
  const [, sign, digits] = NUMBER.exec(text) ?? []
  if (digits === undefined) return undefined
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits)
  return value < LOWEST || value > HIGHEST ? undefined : value
}

function quote (text: string): string { return JSON.stringify(text.slice(0, 100)) }

function invalid (message: string): AppError { return new AppError('invalid_request', message, { field: 'assume' }) }

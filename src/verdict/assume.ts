import {
  datasecVariable, intEncoding, kindOf, nameOf, referencedType, sizeWordOf, typeId, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BTF_INT_BOOL, BtfKind } from '../btf/constants.js'
import type { BpfObject } from '../core/object.js'
import { STT_OBJECT } from '../elf/constants.js'
import { symbolsOf } from '../elf/symbols.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'

/** A value as it is written: a number, or what kernel configurations have. What `y` is depends on the extern's type. */
export type AssumedValue = bigint | 'y' | 'n' | 'm'

/** What is assumed about one variable. */
export interface Assumption {
  /** `enabled`, or `.rodata.enabled` where sections are to be told apart; `CONFIG_HZ`. */
  readonly name: string
  readonly value: AssumedValue
}

const FORM = /^([A-Za-z_.$][\w.$]{0,255})=(.+)$/s
const NUMBER = /^(-?)(0x[0-9a-f]{1,16}|\d{1,20})$/i
const NOUNS: Readonly<Record<string, AssumedValue>> = { true: 1n, false: 0n, y: 'y', n: 'n', m: 'm' }
const LOWEST = -(1n << 63n)
const HIGHEST = (1n << 64n) - 1n
/** Names that a message lists. */
const NAMES_SHOWN = 20

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
  const value = NOUNS[written] ?? toNumber(written)
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
  return new Map([...assumed].map(([name, value]) => {
    const meant = variables.filter(variable => variable.name === name || variable.qualified === name)
    if (meant.length === 0) throw unknownName(name, variables)
    return [name, meant.map(variable => valueOf(variable, name, value))[0] ?? 0n]
  }))
}

/** A value that user space, or the kernel's configuration, sets before an object is loaded. */
interface Settable {
  readonly name: string
  /** With its section, where that tells it from others. */
  readonly qualified: string
  /** Bytes. */
  readonly size: number
  readonly kind: 'number' | 'bool' | 'char' | 'tristate'
  readonly isConfig: boolean
}

function settableVariables (object: BpfObject): Settable[] {
  const inSections = object.elf.sections
    .filter(({ name }) => /^\.rodata(\.|$)/.test(name))
    .flatMap(section => symbolsOf(object.elf).definedIn(section.index)
      .filter(({ type, name }) => type === STT_OBJECT && name !== '')
      .map(({ name, size }): Settable => ({ name, qualified: `${section.name}.${name}`, size, kind: 'number', isConfig: false })))
  return [...inSections, ...configurationValues(object.btf)]
}

function configurationValues (btf: Btf): Settable[] {
  const found: Settable[] = []
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.DATASEC || nameOf(btf, id) !== '.kconfig') continue
    for (let v = 0; v < vlenOf(btf, id); v++) {
      const variable = datasecVariable(btf, id, v)
      const name = nameOf(btf, variable)
      found.push({ name, qualified: `.kconfig.${name}`, ...shapeOf(btf, plainType(btf, referencedType(btf, variable))), isConfig: true })
    }
  }
  return found
}

/** As libbpf takes the types of `.kconfig` externs. An array is a text, which no number is. */
function shapeOf (btf: Btf, type: TypeId): Pick<Settable, 'size' | 'kind'> {
  const kind = kindOf(btf, type)
  if (kind === BtfKind.ARRAY) return { size: Infinity, kind: 'number' }
  if (kind === BtfKind.ENUM) return { size: sizeWordOf(btf, type), kind: nameOf(btf, type) === 'libbpf_tristate' ? 'tristate' : 'number' }
  if (kind !== BtfKind.INT) return { size: 8, kind: 'number' }
  const size = sizeWordOf(btf, type)
  return { size, kind: (intEncoding(btf, type) & BTF_INT_BOOL) !== 0 ? 'bool' : size === 1 ? 'char' : 'number' }
}

const MODIFIERS: ReadonlySet<number> = new Set([BtfKind.CONST, BtfKind.VOLATILE, BtfKind.TYPEDEF, BtfKind.RESTRICT])

function plainType (btf: Btf, id: TypeId): TypeId {
  let type = id
  for (let i = 0; i < 32 && MODIFIERS.has(kindOf(btf, type)); i++) type = referencedType(btf, type)
  return type
}

const TRISTATE = { n: 0n, y: 1n, m: 2n }

function valueOf ({ size, kind, isConfig }: Settable, name: string, value: AssumedValue): bigint {
  if (typeof value !== 'bigint') {
    if (!isConfig) throw invalid(`${name} is a variable. It takes a number, not ${value}.`)
    if (kind === 'tristate') return TRISTATE[value]
    if (kind === 'char') return BigInt(value.charCodeAt(0))
    if (kind === 'bool' && value !== 'm') return TRISTATE[value]
    throw invalid(`${name} cannot be ${value}: the object declares it as ${kind === 'bool' ? 'a bool' : 'a number'}.`)
  }
  if (size > 8) {
    throw invalid(`${name} has ${Number.isFinite(size) ? `${size} bytes` : 'the type of a text'}; ` +
      'only values of at most 8 bytes can be assumed.')
  }
  const bits = BigInt(8 * size)
  if (value >= 1n << bits || value < -(1n << bits) / 2n) {
    throw invalid(`${name} has ${size} ${size === 1 ? 'byte' : 'bytes'}; ${value} does not fit in it.`)
  }
  return BigInt.asUintN(8 * size, value)
}

function unknownName (name: string, variables: readonly Settable[]): AppError {
  const names = variables.filter(({ size }) => size <= 8).map(({ name }) => name)
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  const rest = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
  return new AppError('invalid_request', names.length === 0
    ? `The object has no variable ${name} in .rodata, and no .kconfig extern of that name; it has no variable whose value can be assumed.`
    : `The object has no variable ${name} in .rodata, and no .kconfig extern of that name; it has ${shown}${rest}.`,
  { field: 'assume', names: names.slice(0, NAMES_SHOWN) })
}

function toNumber (text: string): bigint | undefined {
  const [, sign, digits] = NUMBER.exec(text) ?? []
  if (digits === undefined) return undefined
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits)
  return value < LOWEST || value > HIGHEST ? undefined : value
}

function quote (text: string): string { return JSON.stringify(text.slice(0, 100)) }

function invalid (message: string): AppError { return new AppError('invalid_request', message, { field: 'assume' }) }

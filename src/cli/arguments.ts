import { parseArgs } from 'node:util'
import { AppError } from '../errors.js'

/** One option of a command. Help, parsing and the messages about wrong use all come from this. */
export interface OptionSpec {
  readonly short?: string
  /** What stands for the value in the help (`FILE`). An option without one is a switch. */
  readonly value?: string
  readonly repeatable?: boolean
  readonly help: string
}

export interface CommandSpec {
  readonly name: string
  /** What stands for the positional argument in the help; undefined where the command takes none. */
  readonly operand?: string
  /** What the operand is, for the message that it is missing. Default: the file to work on. */
  readonly operandMeaning?: string
  /** Whether the operand may be left out. It is then empty. */
  readonly isOperandOptional?: boolean
  /** Whether the positional argument may be given several times. */
  readonly takesMany?: boolean
  readonly summary: string
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Paragraphs below the options. */
  readonly notes?: readonly string[]
}

/** A command line that fits the command. */
export interface Arguments {
  /** Empty where the command takes no operand. */
  readonly operand: string
  /** All of them, where the command takes many. */
  readonly operands: readonly string[]
  has(option: string): boolean
  /** The value of an option; undefined where it was not given. */
  get(option: string): string | undefined
  getAll(option: string): readonly string[]
  /** The parts of a value that commas separate. */
  getList(option: string): readonly string[]
}

/** How far a misspelt option may be from a real one to be suggested. */
const SUGGESTION_DISTANCE = 3

/**
 * Parses a command's arguments by its spec.
 *
 * @throws AppError `invalid_request` whose sentence names the argument at fault and what to write instead
 */
export function parseArguments (spec: CommandSpec, args: readonly string[]): Arguments {
  const options = Object.fromEntries(Object.entries(spec.options).map(([name, option]) => [name, {
    type: option.value === undefined ? 'boolean' as const : 'string' as const,
    multiple: true,
    ...(option.short === undefined ? {} : { short: option.short })
  }]))
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true })
  const values = new Map<string, string[]>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const given = values.get(token.name) ?? []
    given.push(checkOption(spec, token, given.length))
    values.set(token.name, given)
  }
  return {
    operand: checkOperands(spec, operands),
    operands,
    has: option => values.has(option),
    get: option => values.get(option)?.[0],
    getAll: option => values.get(option) ?? [],
    getList: option => values.get(option)?.[0]?.split(',').filter(part => part !== '') ?? []
  }
}

/** A sentence about wrong use, with the way to the right one. */
export function usageError (spec: CommandSpec, sentence: string): AppError {
  return new AppError('invalid_request', `${sentence} See: corelo ${spec.name} --help`)
}

/** The nearest of the names, where one is near enough to be what was meant. */
export function findNearest (name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.min(SUGGESTION_DISTANCE, name.length - 1) + 1
  for (const candidate of names) {
    const distance = candidate.startsWith(name) && name.length > 2 ? 1 : editDistance(name, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function checkOption (spec: CommandSpec, token: OptionToken, before: number): string {
  const option = Object.hasOwn(spec.options, token.name) ? spec.options[token.name] : undefined
  if (option === undefined) {
    const nearest = findNearest(token.name, Object.keys(spec.options))
    const end = nearest === undefined ? '.' : `; did you mean --${nearest}?`
    throw usageError(spec, `corelo ${spec.name} has no option ${token.rawName}${end}`)
  }
  if (before > 0 && option.repeatable !== true) throw usageError(spec, `Option --${token.name} was given more than once; give it once.`)
  if (option.value === undefined) {
    if (token.value !== undefined) throw usageError(spec, `Option --${token.name} takes no value.`)
    return ''
  }
  const isOptionLike = token.inlineValue === false && token.value !== undefined && token.value.length > 1 && token.value.startsWith('-')
  if (token.value === undefined || token.value === '' || isOptionLike) {
    throw usageError(spec, `Option --${token.name} needs a value: --${token.name} ${option.value}.`)
  }
  return token.value
}

function checkOperands (spec: CommandSpec, operands: readonly string[]): string {
  const [first, second] = operands
  if (spec.operand === undefined) {
    if (first !== undefined) throw usageError(spec, `corelo ${spec.name} takes no argument, but was given "${first}".`)
    return ''
  }
  if (first === undefined && spec.isOperandOptional === true) return ''
  if (first === undefined || first === '') {
    const article = /^[AEIOU]/.test(spec.operand) ? 'an' : 'a'
    throw usageError(spec, `corelo ${spec.name} needs ${article} ${spec.operand}: ${spec.operandMeaning ?? 'the file to work on'}.`)
  }
  if (second !== undefined && spec.takesMany !== true) {
    throw usageError(spec, `corelo ${spec.name} takes one ${spec.operand}, but was also given "${second}".`)
  }
  return first
}

/** Levenshtein's: single-character insertions, deletions and replacements that turn one name into the other. */
export function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

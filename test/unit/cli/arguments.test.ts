import { describe, expect, it } from 'vitest'
import { findNearest, parseArguments, type CommandSpec } from '../../../src/cli/arguments.js'
import { AppError } from '../../../src/errors.js'

const spec: CommandSpec = {
  name: 'try',
  operand: 'OBJECT',
  summary: '',
  options: {
    output: { short: 'o', value: 'OUT', help: '' },
    btf: { short: 'b', value: 'FILE', repeatable: true, help: '' },
    json: { help: '' }
  }
}

function messageOf (args: string[], of: CommandSpec = spec): string {
  try {
    parseArguments(of, args)
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    expect((error as AppError).code).toBe('invalid_request')
    return (error as AppError).message
  }
  throw new Error('nothing was refused')
}

describe('parseArguments', () => {
  it('reads options in their long and short forms, wherever the operand stands', () => {
    for (const args of [['x.o', '--output', 'y.o'], ['--output=y.o', 'x.o'], ['-o', 'y.o', 'x.o'], ['-oy.o', 'x.o']]) {
      const parsed = parseArguments(spec, args)
      expect(parsed.operand).toBe('x.o')
      expect(parsed.get('output')).toBe('y.o')
    }
  })

  it('takes a lone dash as a value and as an operand', () => {
    const parsed = parseArguments(spec, ['-', '-o', '-'])
    expect(parsed.operand).toBe('-')
    expect(parsed.get('output')).toBe('-')
  })

  it('takes everything after two dashes as operands', () => {
    expect(parseArguments(spec, ['--', '--json']).operand).toBe('--json')
  })

  it('keeps the order of a repeatable option', () => {
    expect(parseArguments(spec, ['x', '-b', '1', '--btf', '2']).getAll('btf')).toEqual(['1', '2'])
  })

  it.each([
    [['x', '--outptu', 'y'], 'no option --outptu; did you mean --output?'],
    [['x', '--zebra'], 'no option --zebra.'],
    [['x', '-z'], 'no option -z.'],
    [['x', '--constructor'], 'no option --constructor.'],
    [['x', '-o', 'a', '-o', 'b'], '--output was given more than once'],
    [['x', '--json', '--json'], '--json was given more than once'],
    [['x', '--output'], '--output needs a value: --output OUT.'],
    [['x', '--output='], '--output needs a value'],
    [['x', '--output', '--json'], '--output needs a value'],
    [['x', '--json=yes'], '--json takes no value'],
    [[], 'needs an OBJECT'],
    [['x', 'y'], 'takes one OBJECT, but was also given "y"']
  ])('refuses %j and says what to write', (args, message) => {
    expect(messageOf(args)).toContain(message)
    expect(messageOf(args)).toMatch(/ See: corelo try --help$/)
  })

  it('refuses an operand where the command takes none', () => {
    const { operand, ...without } = spec
    expect(messageOf(['x'], without)).toContain('takes no argument')
  })
})

describe('findNearest', () => {
  it('finds what was probably meant', () => {
    expect(findNearest('kernl', ['btf', 'kernel', 'modules'])).toBe('kernel')
    expect(findNearest('mod', ['btf', 'kernel', 'modules'])).toBe('modules')
  })

  it('suggests nothing far off', () => {
    expect(findNearest('verbose', ['btf', 'kernel', 'modules'])).toBeUndefined()
    expect(findNearest('x', ['b', 'o'])).toBeUndefined()
  })
})

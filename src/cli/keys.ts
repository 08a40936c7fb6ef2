import { AppError } from '../errors.js'
import { findNearest, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { commandHelp, definitions } from './help.js'
import * as generate from './keys/generate.js'
import * as rotate from './keys/rotate.js'
import * as show from './keys/show.js'
import * as token from './keys/token.js'
import * as verify from './keys/verify.js'
import { say } from './terminal.js'

interface Subcommand {
  readonly spec: CommandSpec
  run (args: readonly string[]): ExitCode | Promise<ExitCode>
}

export const spec: CommandSpec = { name: 'keys', summary: 'The keys that sign results, and the tokens of callers.', options: {} }

const COMMANDS: Readonly<Record<string, Subcommand>> = { generate, show, rotate, verify, token }

export async function run ([name, ...args]: readonly string[]): Promise<ExitCode> {
  if (name === undefined) {
    say(overview())
    return ExitCode.USAGE
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command !== undefined) return await command.run(args)
  const nearest = findNearest(name, Object.keys(COMMANDS))
  const end = nearest === undefined ? '.' : `; did you mean ${nearest}?`
  throw new AppError('invalid_request', `corelo keys has no command ${name}${end} See: corelo keys --help`)
}

export function help ([name = '']: readonly string[]): string {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  return command === undefined ? `${overview()}\n` : commandHelp(command.spec)
}

export async function subcommands (): Promise<ReadonlyArray<readonly [name: string, spec: CommandSpec]>> {
  return Object.entries(COMMANDS).map(([name, { spec }]) => [name, spec] as const)
}

function overview (): string {
  return [
    'Usage: corelo keys COMMAND [ARGUMENT...]',
    spec.summary,
    `Commands:\n${definitions(Object.entries(COMMANDS).map(([name, { spec }]) => [`  ${name}`, spec.summary] as const))}`,
    'See also: corelo keys COMMAND --help'
  ].join('\n\n')
}

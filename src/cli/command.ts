import { AppError } from '../errors.js'
import { findNearest, type CommandSpec } from './arguments.js'
import type { ExitCode } from './exit-code.js'
import { definitions } from './help.js'

/** What each command's file exports. `help` stands in for the text made from the spec; it gets the command's arguments. */
export interface Command {
  readonly spec: CommandSpec
  run (args: readonly string[]): ExitCode | Promise<ExitCode>
  help? (args: readonly string[]): string | Promise<string>
  /** Commands below it, each with its spec. */
  subcommands? (): Promise<ReadonlyArray<readonly [name: string, spec: CommandSpec]>>
}

/** Loaded when it is asked for: nobody waits for the modules of the others. */
export interface CommandEntry {
  readonly summary: string
  load (): Promise<Command>
}

/** By name. */
export type Commands = Readonly<Record<string, CommandEntry>>

/**
 * @param caller what has the commands, as one types it: `corelo`, `corelo btf`
 * @param what the name seems to be, for the message
 * @throws AppError `invalid_request`
 */
export function requireCommand (caller: string, commands: Commands, name: string, what = 'command'): CommandEntry {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry !== undefined) return entry
  const nearest = findNearest(name, Object.keys(commands))
  const end = nearest === undefined ? '.' : `; did you mean ${nearest}?`
  throw new AppError('invalid_request', `${caller} has no ${what} ${name}${end} See: ${caller} --help`)
}

/** As a help text has them. */
export function listCommands (commands: Commands): string {
  return `Commands:\n${definitions(Object.entries(commands).map(([name, { summary }]) => [`  ${name}`, summary] as const))}`
}

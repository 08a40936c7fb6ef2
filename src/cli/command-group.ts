import { AppError } from '../errors.js'
import { findNearest, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { commandHelp, definitions } from './help.js'
import { say } from './terminal.js'

interface Runnable {
  readonly spec: CommandSpec
  run (args: readonly string[]): ExitCode | Promise<ExitCode>
}

export interface CommandGroup extends Runnable {
  /** Of the command that the arguments name, or of the group. */
  help (args: readonly string[]): Promise<string>
  subcommands (): Promise<ReadonlyArray<readonly [name: string, spec: CommandSpec]>>
}

export interface GroupOptions {
  /** As it stands after `corelo`. */
  readonly name: string
  readonly summary: string
  readonly commands: Readonly<Record<string, GroupedCommand>>
}

/** A command of a group. Loaded when it is asked for: nobody waits for the modules of the others. */
interface GroupedCommand {
  readonly summary: string
  readonly load: () => Promise<Runnable>
}

/** A command that consists of others: `corelo btf import`, `corelo keys rotate`. */
export function createCommandGroup ({ name, summary, commands }: GroupOptions): CommandGroup {
  const load = async (command: string): Promise<Runnable> => {
    const entry = Object.hasOwn(commands, command) ? commands[command] : undefined
    if (entry !== undefined) return await entry.load()
    const nearest = findNearest(command, Object.keys(commands))
    const end = nearest === undefined ? '.' : `; did you mean ${nearest}?`
    throw new AppError('invalid_request', `corelo ${name} has no command ${command}${end} See: corelo ${name} --help`)
  }
  const overview = (): string => [
    `Usage: corelo ${name} COMMAND [ARGUMENT...]`,
    summary,
    `Commands:\n${definitions(Object.entries(commands).map(([command, { summary }]) => [`  ${command}`, summary] as const))}`,
    'After a command, --help prints what it takes.'
  ].join('\n\n')
  return {
    spec: { name, operand: 'COMMAND', summary, options: {} },
    async run ([command, ...args]) {
      if (command !== undefined) return await (await load(command)).run(args)
      say(overview())
      return ExitCode.USAGE
    },
    async help ([command]) {
      return command === undefined || command.startsWith('-') ? `${overview()}\n` : commandHelp((await load(command)).spec)
    },
    async subcommands () {
      return await Promise.all(Object.entries(commands).map(
        async ([command, { load }]): Promise<readonly [name: string, spec: CommandSpec]> => [command, (await load()).spec]
      ))
    }
  }
}

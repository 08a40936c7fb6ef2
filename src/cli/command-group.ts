import type { CommandSpec } from './arguments.js'
import { listCommands, requireCommand, type Command, type Commands } from './command.js'
import { ExitCode } from './exit-code.js'
import { commandHelp } from './help.js'
import { say } from './terminal.js'

export interface GroupOptions {
  /** As it stands after `corelo`. */
  readonly name: string
  readonly summary: string
  readonly commands: Commands
}

/** A command that consists of others: `corelo btf import`, `corelo keys rotate`. */
export function createCommandGroup ({ name, summary, commands }: GroupOptions): Required<Command> {
  const load = async (command: string): Promise<Command> => await requireCommand(`corelo ${name}`, commands, command).load()
  const overview = (): string => [
    `Usage: corelo ${name} COMMAND [ARGUMENT...]`,
    summary,
    listCommands(commands),
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

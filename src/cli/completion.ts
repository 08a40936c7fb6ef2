import { parseArguments, usageError, type CommandSpec } from './arguments.js'
import { COMMANDS, COMPLETION_SUMMARY } from './commands.js'
import { completionScript, SHELLS, type Completion } from './completion-scripts.js'
import { ExitCode } from './exit-code.js'

export const spec: CommandSpec = {
  name: 'completion',
  operand: 'SHELL',
  operandMeaning: 'bash, zsh or fish',
  summary: 'Prints a script by which a shell completes the commands and options of corelo.',
  options: {
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'bash: source <(corelo completion bash), for all sessions in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit. ' +
    'fish: corelo completion fish > ~/.config/fish/completions/corelo.fish'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const { operand } = parseArguments(spec, args)
  const shell = SHELLS.find(name => name === operand)
  if (shell === undefined) throw usageError(spec, `There is completion for ${SHELLS.join(', ')}, not for ${operand}.`)
  process.stdout.write(completionScript(shell, await listCompletions()))
  return ExitCode.OK
}

/** Every command with what may follow it, from the same specs that help and parsing are made of. */
async function listCompletions (): Promise<Completion[]> {
  const commands = Object.entries(COMMANDS)
  const top: Completion = {
    command: '',
    subcommands: [...commands.map(([name, { summary }]) => ({ name, summary })), { name: spec.name, summary: COMPLETION_SUMMARY }],
    options: [{ name: 'help', takesValue: false, help: 'Print help.' }, { name: 'version', takesValue: false, help: 'Print the version.' }]
  }
  const below = await Promise.all(commands.map(async ([name, entry]) => {
    const command = await entry.load()
    const subcommands = await command.subcommands?.() ?? []
    return [
      toCompletion(name, command.spec, subcommands.map(([sub, { summary }]) => ({ name: sub, summary }))),
      ...subcommands.map(([sub, subSpec]) => toCompletion(`${name} ${sub}`, subSpec, []))
    ]
  }))
  return [top, ...below.flat(), toCompletion(spec.name, spec, SHELLS.map(shell => ({ name: shell, summary: `For ${shell}.` })))]
}

function toCompletion (command: string, { options }: CommandSpec, subcommands: Completion['subcommands']): Completion {
  return {
    command,
    subcommands,
    options: Object.entries(options).map(([name, { value, help }]) => ({ name, takesValue: value !== undefined, help }))
  }
}

#!/usr/bin/env node
import { AppError } from '../errors.js'
import { ENGINE } from '../relocation/engine.js'
import { listCommands, requireCommand, type Commands } from './command.js'
import { COMMANDS as OTHER_COMMANDS, COMPLETION_SUMMARY } from './commands.js'
import { ExitCode, exitCodeOf } from './exit-code.js'
import { explainErrno } from './files.js'
import { commandHelp } from './help.js'
import { printableLine } from './table.js'
import { paintFor, say } from './terminal.js'

const COMMANDS: Commands = {
  ...OTHER_COMMANDS,
  completion: { summary: COMPLETION_SUMMARY, load: () => import('./completion.js') }
}

async function run (args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args
  if (name === undefined) {
    say(mainHelp())
    return ExitCode.USAGE
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    process.stdout.write(`${mainHelp()}\n`)
    return ExitCode.OK
  }
  if (name === '--version' || name === '-V') {
    process.stdout.write(`corelo ${ENGINE.version}\n`)
    return ExitCode.OK
  }
  if (name === 'help') return await run([...rest, '--help'])
  const command = await requireCommand('corelo', COMMANDS, name, name.startsWith('-') ? 'option' : 'command').load()
  if (asksForHelp(rest)) {
    process.stdout.write(command.help === undefined ? commandHelp(command.spec) : await command.help(rest))
    return ExitCode.OK
  }
  return await command.run(rest)
}

function asksForHelp (args: readonly string[]): boolean {
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  return options.includes('--help') || options.includes('-h')
}

function mainHelp (): string {
  return [
    'Usage: corelo COMMAND [ARGUMENT...]',
    'Relocates eBPF CO-RE objects for a named kernel, with the result that libbpf would give there.',
    listCommands(COMMANDS),
    'Options:\n  -h, --help     Print this text; after a command, what that command takes.\n  -V, --version  Print the version.',
    'Exit codes: 0 success; 1 a finding (the object fails on that kernel); 2 wrong use; 3 undecided\n' +
    '(the kernel is unknown, a file cannot be read).'
  ].join('\n\n')
}

/**
 * A reader that has seen enough (`corelo inspect x | head`) is no error, and changes nothing of what was found before. A full disk is one,
 * and no finding about an object.
 */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? ExitCode.OK)
  say(`${paintFor(process.stderr)('red', 'corelo:')} Standard output cannot be written: ${explainErrno(error)}.`)
  process.exit(ExitCode.CANNOT_TELL)
})

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  const paint = paintFor(process.stderr)
  if (error instanceof AppError) {
    const lines = error.message.split('\n').map(printableLine) // it may have names of what was read
    say(`${paint('red', 'corelo:')} ${lines.join('\n')}${error.code === 'unauthorized' ? ' Here: --token-file FILE.' : ''}`)
    process.exitCode = exitCodeOf(error)
  } else {
    say(`${paint('red', 'corelo:')} This is a bug in corelo; please report it with the lines below.`)
    say(error instanceof Error ? error.stack ?? error.message : String(error))
    process.exitCode = ExitCode.CANNOT_TELL
  }
}

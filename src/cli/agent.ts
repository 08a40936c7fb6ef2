import { readAgentSettings } from '../agent/settings.js'
import { ENGINE } from '../relocation/engine.js'
import { LISTED } from '../settings/listed-settings.js'
import { parseArguments, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { commandHelp } from './help.js'
import { warnOfMisspelt } from './misspelt-settings.js'
import { describeVariables, settingOptions } from './setting-help.js'

export const spec: CommandSpec = {
  name: 'agent',
  summary: 'Keeps the objects of a folder relocated for the kernel of this node: asks a service for each object, verifies the results, ' +
    'and writes them to a folder that other programs read. Logs are JSON lines on standard output.',
  options: {
    ...settingOptions(LISTED.agent),
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'Exit codes with --once: 0 every object has a current result; 1 an object fails on this kernel, or the kernel refuses to load it; ' +
    '2 wrong use; 3 undecided (the service cannot be asked, the kernel is unknown, an answer was refused). ' +
    'With 3, the last line of the log says how many last good copies are in use.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  warnOfMisspelt(process.env)
  const settings = readAgentSettings(option => options.get(option), process.env)
  const { runAgent } = await import('../agent/run.js')
  switch (await runAgent(settings, ENGINE.version)) {
    case 'fine': return ExitCode.OK
    case 'finding': return ExitCode.FINDING
    case 'wrong_setting': case 'nothing_to_do': return ExitCode.USAGE
    case 'cannot_tell': return ExitCode.CANNOT_TELL
  }
}

export function help (): string { return `${commandHelp(spec)}\n${describeVariables(LISTED.agent)}` }

import { AppError } from '../errors.js'
import { readConfig } from '../http/config.js'
import { LISTED } from '../settings/listed-settings.js'
import { compileLaterAtStart } from '../workers/compile-later.js'
import { errorCode } from '../store/error-code.js'
import { parseArguments, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { commandHelp } from './help.js'
import { warnOfMisspelt } from './misspelt-settings.js'
import { describeVariables, settingOptions } from './setting-help.js'

export const spec: CommandSpec = {
  name: 'serve',
  summary: 'Runs the HTTP service until it gets SIGTERM or SIGINT. Logs are JSON lines on standard output, text on a terminal.',
  options: {
    ...settingOptions(LISTED.service),
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['Settings are environment variables; they are checked at the start.']
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  compileLaterAtStart()
  const options = parseArguments(spec, args)
  warnOfMisspelt(process.env)
  const config = readConfig(process.env, option => options.get(option))
  const { serve } = await import('../http/server.js')
  try {
    await serve(config)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EADDRINUSE') {
      throw new AppError('invalid_request',
        `Port ${config.port} on ${config.host} is in use by another process; stop that, or set CORELO_PORT.`)
    }
    if (code === 'EACCES') {
      throw new AppError('invalid_request',
        `Port ${config.port} on ${config.host} may not be used by this user; set CORELO_PORT to one above 1023.`)
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new AppError('invalid_request', `${config.host} is no address of this machine; set CORELO_HOST to one.`)
    }
    throw error
  }
  return ExitCode.OK
}

export function help (): string { return `${commandHelp(spec)}\n${describeVariables(LISTED.service)}` }

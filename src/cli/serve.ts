import { AGENT_SETTINGS } from '../agent/settings.js'
import { AppError } from '../errors.js'
import { readConfig, SETTINGS } from '../http/config.js'
import { parseArguments, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { commandHelp, definitions } from './help.js'
import { warnOfMisspelt } from './misspelt-settings.js'

export const spec: CommandSpec = {
  name: 'serve',
  summary: 'Runs the HTTP service until it gets SIGTERM or SIGINT. Logs are JSON lines on standard output, text on a terminal.',
  options: {
    watch: {
      value: 'PATTERNS',
      help: 'Kernels of which new ones are fetched before anybody asks for them, such as debian/12/x86_64/*, comma separated. ' +
        'Default: CORELO_WATCH.'
    },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['Settings are environment variables; they are checked at the start.']
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const watch = parseArguments(spec, args).get('watch')
  warnOfMisspelt(process.env, [...SETTINGS.map(({ name }) => name), ...Object.values(AGENT_SETTINGS).map(({ env }) => env)])
  const config = readConfig(watch === undefined ? process.env : { ...process.env, CORELO_WATCH: watch })
  const { serve } = await import('../http/server.js')
  try {
    await serve(config)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
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

export function help (): string {
  const settings = SETTINGS.map(({ name, defaultText, meaning }) => [`  ${name}`, `${meaning} Default: ${defaultText}.`] as const)
  return `${commandHelp(spec)}\n${definitions(settings)}\n`
}

import { thumbprintOf, toJwk } from '../../attestation/jwk.js'
import type { PublicJwk } from '../../wire/keys.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { readInput } from '../files.js'
import { signingKeyFiles } from '../signing-key-files.js'
import { table } from '../table.js'
import { keysOf, readPublicKeys, readSigningKeys } from './sources.js'

export const spec: CommandSpec = {
  name: 'keys show',
  operand: 'FILE',
  isOperandOptional: true,
  summary: 'Shows keys: those of a file (private keys or a JWKS), those that a service publishes, ' +
    'or those that a service here would sign with.',
  options: {
    server: { short: 's', value: 'URL', help: 'Ask this service.' },
    json: { help: 'Print a JWKS instead of a table: what agents pin. It has the public keys only.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['A key is known by its thumbprint (RFC 7638), which is also its kid. The first key that has not ended signs.']
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const keys = await readKeys(options)
  process.stdout.write(options.has('json') ? `${JSON.stringify({ keys }, null, 2)}\n` : `${keyTable(keys).join('\n')}\n`)
  return ExitCode.OK
}

async function readKeys (options: Arguments): Promise<readonly PublicJwk[]> {
  const server = options.get('server')
  if (server !== undefined && options.operand !== '') throw usageError(spec, 'Name a FILE or a --server, not both.')
  if (server !== undefined) return await publicKeys(keysOf(server))
  const files = options.operand === '' ? signingKeyFiles(process.env) : [options.operand]
  return (await Promise.all(files.map(async file => await (isPem(file) ? privateKeys(file) : publicKeys(file))))).flat()
}

function isPem (file: string): boolean { return Buffer.from(readInput(file, 'key file')).includes('-----BEGIN ') }

async function privateKeys (file: string): Promise<PublicJwk[]> { return (await readSigningKeys(file)).map(({ jwk }) => jwk) }

async function publicKeys (source: string): Promise<PublicJwk[]> {
  return (await readPublicKeys(source)).map(({ key, expires }) => toJwk(key, expires))
}

function keyTable (keys: readonly PublicJwk[]): string[] {
  const now = Date.now() / 1000
  const signing = keys.find(({ exp }) => exp === undefined || exp > now)
  return table(['KEY', 'STATE', 'ENDS'], keys.map(key => [
    thumbprintOf(key.x),
    key === signing ? 'signs' : key.exp !== undefined && key.exp <= now ? 'ended' : 'published',
    key.exp === undefined ? '-' : new Date(key.exp * 1000).toISOString()
  ]))
}

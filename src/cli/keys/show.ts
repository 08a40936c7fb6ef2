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
  notes: [
    'A key is known by its thumbprint (RFC 7638), which is also its kid. The first key that has not ended signs.',
    'A file of private keys also tells which key was announced (it will sign once corelo keys rotate --promote lets it), and which was ' +
    'retired (it signed before). A JWKS does not: both are published there.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const shown = await readKeys(options)
  const keys = shown.map(({ jwk }) => jwk)
  process.stdout.write(options.has('json') ? `${JSON.stringify({ keys }, null, 2)}\n` : `${keyTable(shown).join('\n')}\n`)
  return ExitCode.OK
}

interface ShownKey {
  readonly jwk: PublicJwk
  /** While it is believed and does not sign. */
  readonly waits: 'announced' | 'retired' | 'published'
}

async function readKeys (options: Arguments): Promise<readonly ShownKey[]> {
  const server = options.get('server')
  if (server !== undefined && options.operand !== '') throw usageError(spec, 'Name a FILE or a --server, not both.')
  if (server !== undefined) return await publicKeys(keysOf(server))
  const files = options.operand === '' ? signingKeyFiles(process.env) : [options.operand]
  return (await Promise.all(files.map(async file => await (isPem(file) ? privateKeys(file) : publicKeys(file))))).flat()
}

function isPem (file: string): boolean { return Buffer.from(readInput(file, 'key file')).includes('-----BEGIN ') }

/** The first key of a file was not announced: where it does not sign, a file before this one has the key that does. */
async function privateKeys (file: string): Promise<ShownKey[]> {
  return (await readSigningKeys(file)).map(({ jwk, isRetired }, i) =>
    ({ jwk, waits: isRetired === true ? 'retired' : i === 0 ? 'published' : 'announced' }))
}

async function publicKeys (source: string): Promise<ShownKey[]> {
  return (await readPublicKeys(source)).map(({ key, expires }) => ({ jwk: toJwk(key, expires), waits: 'published' }))
}

function keyTable (keys: readonly ShownKey[]): string[] {
  const now = Date.now() / 1000
  const signing = keys.find(({ jwk: { exp } }) => exp === undefined || exp > now)
  return table(['KEY', 'STATE', 'ENDS'], keys.map(key => {
    const { jwk: { x, exp }, waits } = key
    return [
      thumbprintOf(x),
      key === signing ? 'signs' : exp !== undefined && exp <= now ? 'ended' : waits,
      exp === undefined ? '-' : new Date(exp * 1000).toISOString()
    ]
  }))
}

import { formatSigningKey, generateSigningKey, parseSigningKeys, type SigningKey } from '../../attestation/signing-keys.js'
import { replacePrivateFile } from '../../keys/key-file.js'
import { parseArguments, usageError, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { say } from '../terminal.js'
import { parseTime, readSigningKeys } from './sources.js'
import { writing } from './writing.js'

export const spec: CommandSpec = {
  name: 'keys rotate',
  operand: 'FILE',
  summary: 'Puts a new key first in a file of signing keys, so that it signs from the next start on; the ones before stay published. ' +
    'Prints the thumbprint of the key that signs.',
  options: {
    announce: {
      help: 'Put the new key last instead: it is published, and does not sign yet. ' +
        'For agents that pin keys, and for replicas that are not restarted at once.'
    },
    promote: { help: 'Make no new key; let the last one, which was announced, sign.' },
    expires: { value: 'TIME', help: 'When the new key expires. Default: never.' },
    retire: { value: 'TIME', help: 'End of the key that signed so far: by then, agents should have asked anew for what it signed.' },
    keep: { value: 'N', help: 'Most keys that stay in the file; the oldest go. Default: 2.' },
    json: { help: 'Print the public keys of the file as JSON (JWKS) instead, the one that signs first.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'Without an interruption: rotate --announce, start the replicas anew, wait for five minutes ' +
    '(so long is the list of keys kept by those who asked for it), rotate --promote, start the replicas anew.'
  ]
}

const MAX_KEYS = 16

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const [announces, promotes] = [options.has('announce'), options.has('promote')]
  const expires = parseTime(spec, 'expires', options.get('expires'))
  const retire = parseTime(spec, 'retire', options.get('retire'))
  const keep = parseCount(options.get('keep') ?? '2')
  if (announces && promotes) {
    throw usageError(spec, 'Give --announce to add a key that will sign later, or --promote to let it sign, not both.')
  }
  if (promotes && expires !== undefined) throw usageError(spec, 'Option --expires is about a new key, and --promote makes none.')
  if (announces && retire !== undefined) {
    throw usageError(spec, 'With --announce the present key goes on signing; give --retire with --promote.')
  }

  const keys = await readSigningKeys(options.operand)
  const [signing] = keys
  const others = keys.slice(1)
  const last = others.at(-1)
  if (promotes && last === undefined) {
    throw usageError(spec, `${options.operand} has only one key, which signs already; add one with --announce first.`)
  }
  const retired = retire === undefined ? signing : { ...signing, expires: retire }
  const next = promotes && last !== undefined ? last : newKey(expires)
  const order = announces
    ? [signing, ...others.slice(0, keep - 2), next]
    : [next, retired, ...others.filter(key => key !== next)].slice(0, keep)
  const text = order.map(({ privateKey, expires }) => formatSigningKey(privateKey, expires)).join('')
  await writing(options.operand, async () => { await replacePrivateFile(options.operand, text) })
  process.stdout.write(options.has('json')
    ? `${JSON.stringify({ keys: order.map(({ jwk }) => jwk) }, null, 2)}\n`
    : `${order[0]?.jwk.kid ?? ''}\n`)
  say(`${options.operand} has ${order.length} keys now. Services that use it take them at their next start.`)
  return ExitCode.OK
}

function newKey (expires: Date | undefined): SigningKey { return parseSigningKeys(generateSigningKey(expires))[0] }

function parseCount (text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 2 || count > MAX_KEYS) {
    throw usageError(spec, `Option --keep takes a number from 2 to ${MAX_KEYS}, not "${text}".`)
  }
  return count
}

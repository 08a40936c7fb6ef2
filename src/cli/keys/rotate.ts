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
    promote: { help: 'Make no new key; let the last one that has not signed yet, which was announced, sign.' },
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

  const [signing, ...others] = await readSigningKeys(options.operand)
  const next = promotes ? announcedOf(others, options.operand) : newKey(expires)
  const retired = { ...signing, expires: retire ?? signing.expires, isRetired: true }
  const first = { ...announces ? signing : next, isRetired: false }
  const published = announces
    ? [...others.slice(0, keep - 2), next]
    : [retired, ...others.filter(key => key !== next)].slice(0, keep - 1)
  const text = [first, ...published]
    .map(({ privateKey, expires, isRetired }) => formatSigningKey(privateKey, expires, isRetired)).join('')
  await writing(options.operand, async () => { await replacePrivateFile(options.operand, text) })
  const written = parseSigningKeys(text)
  process.stdout.write(options.has('json')
    ? `${JSON.stringify({ keys: written.map(({ jwk }) => jwk) }, null, 2)}\n`
    : `${written[0].jwk.kid}\n`)
  say(`${options.operand} has ${written.length} keys now. Services that use it take them at their next start.`)
  return ExitCode.OK
}

/**
 * The key that was announced: the last one without a mark that it signed, and without an end that has come. Not the announced key has
 * the mark: a key that somebody appended to the file has none either.
 *
 * @throws AppError `invalid_request`
 */
function announcedOf (others: readonly SigningKey[], file: string): SigningKey {
  const announced = others.findLast(({ isRetired, expires }) => isRetired !== true && (expires === undefined || expires > new Date()))
  if (announced !== undefined) return announced
  throw usageError(spec, others.length === 0
    ? `${file} has only one key, which signs already; add one with --announce first.`
    : `${file} has no key to promote: the first one signs, and the others signed before it or have ended; add one with --announce first.`)
}

function newKey (expires: Date | undefined): SigningKey { return parseSigningKeys(generateSigningKey(expires))[0] }

function parseCount (text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 2 || count > MAX_KEYS) {
    throw usageError(spec, `Option --keep takes a number from 2 to ${MAX_KEYS}, not "${text}".`)
  }
  return count
}

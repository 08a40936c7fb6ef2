import { generateSigningKey, parseSigningKeys } from '../../attestation/signing-keys.js'
import { createPrivateFile } from '../../keys/key-file.js'
import { parseArguments, usageError, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { parseTime } from './sources.js'
import { writing } from './writing.js'

export const spec: CommandSpec = {
  name: 'keys generate',
  operand: 'FILE',
  summary: 'Makes an Ed25519 signing key in a new file that only its owner can read, and prints its thumbprint.',
  options: {
    expires: { value: 'TIME', help: 'When the key expires: from then on new results that it signs are refused. Default: never.' },
    json: { help: 'Print the public key as JSON (JWKS) instead.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'The service signs with the key in CORELO_SIGNING_KEY_FILE. A file that is there already is never replaced; see corelo keys rotate.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const text = generateSigningKey(parseTime(spec, 'expires', options.get('expires')))
  const { created } = await writing(options.operand, async () => await createPrivateFile(options.operand, text))
  if (!created) {
    throw usageError(spec,
      `${options.operand} is there already; add a key to it with corelo keys rotate, or name another file.`)
  }
  const [{ jwk }] = parseSigningKeys(text)
  process.stdout.write(options.has('json') ? `${JSON.stringify({ keys: [jwk] }, null, 2)}\n` : `${jwk.kid}\n`)
  return ExitCode.OK
}

import { randomBytes } from 'node:crypto'
import { parseTokens } from '../../http/access/tokens.js'
import { AppError } from '../../errors.js'
import { sha256 } from '../../store/sha256.js'
import { parseArguments, usageError, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { say } from '../terminal.js'

export const spec: CommandSpec = {
  name: 'keys token',
  operand: 'NAME',
  operandMeaning: 'what logs and provenance call the caller',
  summary: 'Makes a token for a caller. The token goes to standard output; ' +
    'the line for CORELO_TOKENS_FILE, which has its hash only, to standard error.',
  options: {
    scopes: {
      value: 'A,B',
      help: 'What the caller may do: relocate (ask for results, kernels and BTF; store objects), upload (supply BTF), admin (all). ' +
        'Default: relocate.'
    },
    json: { help: 'Print JSON on standard output instead: token, and the entry for the file.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['corelo keys token agents > agents.token 2>> tokens  keeps the token in one file and its entry in the other.']
}

/** Says what it is, for those who search logs and repositories for secrets. */
const PREFIX = 'corelo_'
/** So many random bytes need no slow hash. */
const TOKEN_BYTES = 32

export function run (args: readonly string[]): ExitCode {
  const options = parseArguments(spec, args)
  const scopes = (options.get('scopes') ?? 'relocate').split(',').map(scope => scope.trim())
  const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`
  const entry = { name: options.operand, sha256: sha256(token), scopes }
  checkEntry(entry)
  if (options.has('json')) {
    process.stdout.write(`${JSON.stringify({ token, entry }, null, 2)}\n`)
  } else {
    process.stdout.write(`${token}\n`)
    say(`${entry.name} ${entry.sha256} ${scopes.join(',')}`)
  }
  return ExitCode.OK
}

function checkEntry (entry: object): void {
  try {
    parseTokens(JSON.stringify([entry]))
  } catch (error) {
    const reason = error instanceof AppError ? error.message.replace('entry 1 ', 'it ') : String(error)
    throw usageError(spec, `This is no entry of a tokens file: ${reason}.`)
  }
}

import type { AttestedFindings } from '../../attestation/findings.js'
import { verifyAttestation, type AskedRelocation } from '../../attestation/verify.js'
import { formatQuery, parseQuery } from '../../identity/reference.js'
import { isSha256, sha256, type Sha256 } from '../../store/sha256.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { readInput } from '../files.js'
import { printable } from '../table.js'
import { paintFor, say } from '../terminal.js'
import { readPublicKeys } from './sources.js'

export const spec: CommandSpec = {
  name: 'keys verify',
  operand: 'RELOCATED',
  summary: 'Verifies that a relocated object is what was asked for, by the word of a key that you trust.',
  options: {
    attestation: {
      short: 'a', value: 'FILE', help: 'The attestation: a DSSE envelope, or the value of the header Corelo-Attestation. Required.'
    },
    keys: { value: 'FILE|URL', help: 'The keys that you trust, a JWKS: see corelo keys show --json. Required.' },
    object: { value: 'FILE|HASH', help: 'The object that was sent. Required.' },
    kernel: { short: 'k', value: 'REF', help: 'The kernel that was asked for: a whole reference, or a bare release. Required, or --btf.' },
    btf: { short: 'b', value: 'FILE|HASH', help: 'The BTF that was asked for instead, or as well: raw, or its sha256:….' },
    json: { help: 'Print the outcome as JSON on standard output.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'Exit codes: 0 it is; 1 it is not, or its attestation is not to be believed; 2 wrong use; ' +
    '3 cannot tell (a file or the keys cannot be had).'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const [attestation, source] = [required(options, 'attestation'), required(options, 'keys')]
  const asked = askedBy(options)
  const result = readInput(options.operand, 'relocated object')
  const envelope = decoded(Buffer.from(readInput(attestation, 'attestation')).toString().trim())
  const verification = verifyAttestation({ envelope, keys: await readPublicKeys(source), result, asked })
  if (options.has('json')) process.stdout.write(`${JSON.stringify(toJson(verification), null, 2)}\n`)
  const paint = paintFor(process.stderr)
  if (!verification.ok) {
    say(`${paint('red', 'refused:')} ${verification.message}`)
    return ExitCode.FINDING
  }
  const { keyId, facts: { engine, kernel, btfSha256, findings } } = verification
  const target = kernel === null ? btfSha256 : printable(kernel)
  const maker = printable(`${engine.name} ${engine.version} (${engine.semantics})`)
  say(`${paint('green', 'verified:')} relocated for ${target} by ${maker}, signed with key ${keyId}`)
  say(describeFindings(findings))
  return ExitCode.OK
}

function askedBy (options: Arguments): AskedRelocation {
  const [object, kernel, btf] = [required(options, 'object'), options.get('kernel'), options.get('btf')]
  if (kernel === undefined && btf === undefined) throw usageError(spec, 'Say what was asked for: --kernel REF, --btf FILE|HASH, or both.')
  return {
    objectSha256: hashOf(object, 'object'),
    ...(kernel === undefined ? {} : { kernel: formatQuery(parseQuery({ kernelRelease: kernel })) }),
    ...(btf === undefined ? {} : { btfSha256: hashOf(btf, 'BTF file') })
  }
}

function required (options: Arguments, name: string): string {
  const value = options.get(name)
  if (value === undefined) throw usageError(spec, `Option --${name} ${spec.options[name]?.value ?? ''} is missing.`)
  return value
}

function hashOf (text: string, what: string): Sha256 { return isSha256(text) ? text : sha256(readInput(text, what)) }

/** The value of the header is the envelope in base64. */
function decoded (text: string): string { return text.startsWith('{') ? text : Buffer.from(text, 'base64').toString() }

/** The verdict that was signed with the result, and what it rests on. */
function describeFindings ({ verdict, assumes, assumesSha256, counts: { resolved, absent, poisoned } }: AttestedFindings): string {
  const rest = assumesSha256 !== undefined
    ? `; it assumes the list with hash ${assumesSha256}`
    : assumes?.length === 0 ? '' : `; it assumes ${assumes?.map(printable).join(', ') ?? ''}`
  return `verdict: ${verdict} (${resolved} resolved, ${absent} absent, ${poisoned} poisoned)${rest}`
}

function toJson (verification: ReturnType<typeof verifyAttestation>): object {
  if (!verification.ok) return { verified: false, cause: verification.cause, detail: verification.message }
  const { objectSha256, btfSha256, resultSha256, kernel, engine, findings } = verification.facts
  const { verdict, assumes, assumesSha256, counts } = findings
  return {
    verified: true,
    key: verification.keyId,
    object: objectSha256,
    btf: btfSha256,
    result: resultSha256,
    kernel,
    engine,
    verdict,
    assumes: assumes ?? { sha256: assumesSha256 },
    counts
  }
}

import { assumptionsDigest, type AttestedFindings } from '../attestation/findings.js'
import { parseJwks } from '../attestation/jwk.js'
import type { AttestedFacts } from '../attestation/statement.js'
import { verifyAttestation } from '../attestation/verify.js'
import type { Client } from '../client/client.js'
import type { RelocationAnswer, RelocationRequest } from '../client/relocation.js'
import { isPassing, kindOf } from '../client/problem.js'
import { relocationsIn } from '../wire/parse-report.js'
import type { Report } from '../wire/report.js'
import { withRetries } from '../client/retry.js'
import { AppError } from '../errors.js'
import { formatQuery } from '../identity/reference.js'
import { sha256 } from '../store/sha256.js'
import type { Arguments } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { readInput } from './files.js'
import { printForPeople, writeResult } from './relocation-output.js'
import { createRemoteClient } from './remote-client.js'
import { askWithOwnBtf, findRemoteTarget, type RemoteTarget } from './remote-target.js'
import { diagnostics } from './report-text.js'
import { paintFor, say } from './terminal.js'

/** How long to go on trying while the service is busy. Somebody at a terminal is told at once that it is not there. */
const PATIENCE_MS = 10_000

/**
 * Relocates by a service, with the same output and exit codes as without one.
 *
 * @throws AppError with the code of the service's problem, or of the failure to talk to it
 */
export async function relocateRemotely (options: Arguments, input: Uint8Array): Promise<ExitCode> {
  const client = createRemoteClient(options)
  const target = await findRemoteTarget(options)
  const onUnresolved = options.get('on-unresolved') === 'fail' ? 'fail' : 'poison'
  const request: Omit<RelocationRequest, keyof RemoteTarget['request']> = {
    object: input,
    modules: options.getList('modules'),
    onUnresolved,
    assume: options.getAll('assume')
  }
  const answer = await ask(client, request, target).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error
    sayWhy(error, options.operand)
    throw withNearest(error)
  })
  const keys = options.get('keys')
  const signed = keys === undefined ? undefined : requireTrust(keys, answer, sha256(input), target.request)
  const report = signed === undefined ? answer.report : asSigned(answer.report, signed.findings)
  // A release is that of several kernels: the whole name says which of them it was.
  const found = signed === undefined ? report.kernel.reference : signed.kernel
  const name = (target.request.kernel === undefined ? undefined : found) ?? target.name
  printForPeople(options.operand, { ...report, changed_instructions: report.result.changed_instructions }, name)
  writeResult(options.get('output'), answer.bytes)
  if (options.has('json')) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  return report.verdict === 'fails' ? ExitCode.FINDING : ExitCode.OK
}

async function ask (
  client: Client,
  request: Omit<RelocationRequest, keyof RemoteTarget['request']>,
  target: RemoteTarget
): Promise<RelocationAnswer> {
  const onRetry = (error: AppError, waitMs: number): void => { say(`${error.message} Trying again in ${(waitMs / 1000).toFixed(1)} s.`) }
  const isWorthATry = (error: AppError): boolean => isPassing(error) && kindOf(error) === 'problem'
  const answer = await askWithOwnBtf(target, async kernel =>
    await withRetries(() => client.relocate({ ...request, ...kernel }), { withinMs: PATIENCE_MS, isWorthATry, onRetry }))
  if (answer === undefined) throw new AppError('source_invalid', `${client.server} answered that nothing changed, which was not asked.`)
  return answer
}

/**
 * What a trusted key signed of the result. The report beside it is not signed, and whoever is on the way may write another verdict
 * into it.
 */
function requireTrust (
  path: string,
  answer: RelocationAnswer,
  object: ReturnType<typeof sha256>,
  { kernel, btfSha256, btf }: RemoteTarget['request']
): AttestedFacts {
  const [vmlinux] = btf ?? []
  const target = btfSha256 ?? (vmlinux === undefined ? undefined : sha256(vmlinux))
  const verification = verifyAttestation({
    envelope: answer.attestation,
    keys: parseJwks(readKeys(path)),
    result: answer.bytes,
    asked: {
      objectSha256: object,
      ...(target === undefined ? {} : { btfSha256: target }),
      ...(kernel === undefined ? {} : { kernel: formatQuery(kernel) })
    }
  })
  if (!verification.ok) {
    throw new AppError('source_invalid',
      `The result is refused: ${verification.message} Nothing was written.`, { refusal: verification.cause })
  }
  return verification.facts
}

/**
 * The report, with what is signed in the place of what it says of the same.
 *
 * @throws AppError `source_invalid` where the assumptions that it lists are not those whose hash is signed
 */
function asSigned (report: Report, { verdict, assumes, assumesSha256, counts }: AttestedFindings): Report {
  if (assumesSha256 !== undefined && assumptionsDigest(report.assumes) !== assumesSha256) {
    throw new AppError('source_invalid',
      'The result is refused: the report lists other assumptions than those that are attested. Nothing was written.')
  }
  return { ...report, verdict, assumes: assumes ?? report.assumes, counts: { ...report.counts, ...counts } }
}

function readKeys (path: string): string {
  try {
    return Buffer.from(readInput(path, 'keys file')).toString()
  } catch (error) {
    throw error instanceof AppError ? new AppError('invalid_request', error.message, {}, { cause: error }) : error
  }
}

/** The relocations that the service lists in a refusal, as compilers would. */
function sayWhy (error: AppError, objectName: string): void {
  const relocations = relocationsIn(error.details['relocations'])
  for (const line of diagnostics({ relocations }, objectName, paintFor(process.stderr))) say(line)
}

/** The kernels that the service has instead of the one that was asked for, which its sentence does not name. */
function withNearest (error: AppError): AppError {
  const isNews = (name: unknown): name is string => typeof name === 'string' && !error.message.includes(name)
  const names = (value: unknown): readonly string[] => Array.isArray(value) ? value.filter(isNews).slice(0, NEAREST_SHOWN) : []
  const held = names(error.details['nearest'])
  const offered = names(error.details['nearest_offered'])
  const hints = [
    ...held.length === 0 ? [] : [`It has ${held.join(', ')}.`],
    ...offered.length === 0 ? [] : [`It can fetch ${offered.join(', ')}.`]
  ]
  return error.code !== 'kernel_unknown' || hints.length === 0
    ? error
    : new AppError(error.code, [error.message, ...hints].join(' '), error.details, { cause: error })
}

const NEAREST_SHOWN = 5

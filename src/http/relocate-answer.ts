import type { FastifyReply, FastifyRequest } from 'fastify'
import { ENVELOPE_TYPE } from '../attestation/statement.js'
import { ENGINE } from '../relocation/engine.js'
import { hexOf, sha256 } from '../store/sha256.js'
import type { RelocateAnswer } from '../relocation/types.js'
import { negotiate } from './accept.js'
import {
  contentLocationOf, countsOf, DIGEST_OF_NOTHING, digestOf, etagOf, isNoneMatchHit, serverTimingOf, type CacheControl
} from './headers.js'
import { reportOf } from './report.js'
import { sendAtOnce, viewOf, type ReadyAnswer } from './send-bytes.js'

const REPRESENTATIONS = ['application/x-elf', 'application/octet-stream', 'application/json', 'multipart/form-data'] as const
export type Representation = typeof REPRESENTATIONS[number]

/** @throws AppError `not_acceptable` */
export function chooseRepresentation (accept: string | undefined): Representation { return negotiate(accept, REPRESENTATIONS) }

export function needsReport (representation: Representation): boolean {
  return representation === 'application/json' || representation === 'multipart/form-data'
}

const SUFFIXES = {
  'application/x-elf': '',
  'application/octet-stream': '',
  'application/json': '.report',
  'multipart/form-data': '.form'
} as const

/** What Corelo-Kernel says where the request named only content: every 200 has the header. The report has null there. */
const NO_KERNEL = 'none'

/** Answers with a relocation in the form that was negotiated, or with 304 where the caller has it already. */
export function sendAnswer (
  request: FastifyRequest,
  reply: FastifyReply,
  answer: RelocateAnswer,
  representation: Representation,
  cacheControl: CacheControl
): void {
  sendAtOnce(reply, readyAnswer(answer, representation, cacheControl, request.method, request.headers['if-none-match']))
}

/** What is to be sent for an answer: to a caller that has it already, 304. */
export function readyAnswer (
  answer: RelocateAnswer,
  representation: Representation,
  cacheControl: CacheControl,
  method: string,
  ifNoneMatch: string | undefined
): ReadyAnswer {
  const prepared = preparedFor(answer, representation, cacheControl)
  if (isNoneMatchHit(ifNoneMatch, prepared.etag)) return { status: 304, headers: prepared.headers }
  const isHead = method === 'HEAD'
  if (prepared.wholeHeaders !== undefined && !isHead) return { status: 200, headers: prepared.wholeHeaders, body: viewOf(answer.bytes) }
  const content = represent(answer, representation)
  const headers = [...prepared.headers, ...headersOf(content, answer, isHead)]
  if (!needsReport(representation) && !isHead) prepared.wholeHeaders = headers
  return { status: 200, headers, body: content.body }
}

/** An answer, ready to be sent. Headers are names and values in turn. */
interface Prepared {
  readonly representation: Representation
  readonly cacheControl: CacheControl
  readonly etag: string
  readonly headers: readonly string[]
  /** With those of the content, which a 304 has not: made when the answer is first sent. The body is made each time. */
  wholeHeaders?: readonly string[]
}

interface Content {
  readonly type: string
  readonly digest: string
  readonly body: Buffer
}

/**
 * What is sent for answers that the service holds, which are one and the same object each time. Not their reports: they are
 * large, and who asks for them does so once.
 */
const held = new WeakMap<RelocateAnswer, readonly Prepared[]>()

function preparedFor (answer: RelocateAnswer, representation: Representation, cacheControl: CacheControl): Prepared {
  if (!answer.cached || needsReport(representation)) return prepare(answer, representation, cacheControl)
  const forms = held.get(answer) ?? []
  for (const form of forms) if (form.representation === representation && form.cacheControl === cacheControl) return form
  const made = prepare(answer, representation, cacheControl)
  held.set(answer, [...forms, made])
  return made
}

function prepare (answer: RelocateAnswer, representation: Representation, cacheControl: CacheControl): Prepared {
  const etag = etagOf(answer.sha256, needsReport(representation) ? `${SUFFIXES[representation]}.${reportMark(answer)}` : '')
  return {
    representation,
    cacheControl,
    etag,
    headers: [
      'etag', etag,
      'vary', 'accept',
      'cache-control', cacheControl,
      'content-location', contentLocationOf(answer),
      'corelo-object', answer.objectSha256,
      'corelo-btf', answer.btfSha256,
      'corelo-kernel', answer.kernel ?? NO_KERNEL,
      'corelo-verdict', answer.verdict,
      'corelo-relocations', countsOf(answer.counts),
      'server-timing', serverTimingOf(answer.timing)
    ]
  }
}

/** Tells reports of one result apart: they also say for which kernel it is, what was assumed, and how many places they list. */
function reportMark ({ kernel, buildId, source, warning, verdict, assumes, report }: RelocateAnswer): string {
  const facts = [ENGINE.version, kernel ?? '', buildId ?? '', source, warning?.code ?? '', verdict, ...assumes, report?.members.length ?? 0]
  return hexOf(sha256(Buffer.from(facts.join('\n')))).slice(0, 16)
}

function represent (answer: RelocateAnswer, representation: Representation): Content {
  if (!needsReport(representation)) return { type: representation, digest: digestOf(answer.sha256), body: viewOf(answer.bytes) }
  const report = reportOf(answer)
  const { type, body } = representation === 'application/json' ? { type: representation, body: report } : toForm(answer, report)
  return { type, digest: digestOf(sha256(body)), body }
}

function headersOf ({ type, digest, body }: Content, { attestation }: RelocateAnswer, isHead: boolean): string[] {
  return [
    'content-type', type,
    ...(attestation === undefined ? [] : ['corelo-attestation', attestation]),
    'content-digest', isHead ? DIGEST_OF_NOTHING : digest,
    'repr-digest', digest,
    'content-length', String(body.length)
  ]
}

function attestationPart ({ attestation }: RelocateAnswer, boundary: string): Buffer[] {
  if (attestation === undefined) return []
  return [
    Buffer.from(`\r\n--${boundary}\r\ncontent-disposition: form-data; name="attestation"\r\ncontent-type: ${ENVELOPE_TYPE}\r\n\r\n`),
    Buffer.from(attestation, 'base64')
  ]
}

/** The boundary is made of the object's own hash: no object contains its hash by accident. */
function toForm (answer: RelocateAnswer, report: Buffer): { type: string, body: Buffer } {
  const boundary = `corelo-${hexOf(answer.sha256).slice(0, 48)}`
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="report"\r\ncontent-type: application/json\r\n\r\n`),
    report,
    Buffer.from(`\r\n--${boundary}\r\ncontent-disposition: form-data; name="object"; filename="relocated.bpf.o"\r\n` +
      'content-type: application/x-elf\r\n\r\n'),
    viewOf(answer.bytes),
    ...attestationPart(answer, boundary),
    Buffer.from(`\r\n--${boundary}--\r\n`)
  ])
  return { type: `multipart/form-data; boundary=${boundary}`, body }
}

import type { FastifyReply, FastifyRequest } from 'fastify'
import { ENVELOPE_TYPE } from '../attestation/statement.js'
import { hexOf, sha256 } from '../kernels/sha256.js'
import type { RelocateAnswer } from '../service/types.js'
import { negotiate } from './accept.js'
import { contentLocationOf, countsOf, DIGEST_OF_NOTHING, digestOf, etagOf, isNoneMatchHit, serverTimingOf } from './headers.js'
import { toReport } from './report.js'

const REPRESENTATIONS = ['application/x-elf', 'application/octet-stream', 'application/json', 'multipart/form-data'] as const
export type Representation = typeof REPRESENTATIONS[number]

/** @throws AppError `not_acceptable` */
export function chooseRepresentation (request: FastifyRequest): Representation { return negotiate(request.headers.accept, REPRESENTATIONS) }

export function needsReport (representation: Representation): boolean {
  return representation === 'application/json' || representation === 'multipart/form-data'
}

const SUFFIXES = { 'application/x-elf': '', 'application/octet-stream': '', 'application/json': '.report', 'multipart/form-data': '.form' } as const

/** What Corelo-Kernel says where the request named only content: every 200 has the header. The report has null there. */
const NO_KERNEL = 'none'

/** Answers with a relocation in the form that was negotiated, or with 304 where the caller has it already. */
export function sendAnswer (request: FastifyRequest, reply: FastifyReply, answer: RelocateAnswer, representation: Representation, cacheControl: string): FastifyReply {
  const etag = etagOf(answer.sha256, SUFFIXES[representation])
  reply.headers({
    etag,
    vary: 'accept',
    'cache-control': cacheControl,
    'content-location': contentLocationOf(answer),
    'corelo-object': answer.objectSha256,
    'corelo-btf': answer.btfSha256,
    'corelo-kernel': answer.kernel ?? NO_KERNEL,
    'corelo-verdict': answer.verdict,
    'corelo-relocations': countsOf(answer.counts),
    'server-timing': serverTimingOf(answer.timing)
  })
  if (isNoneMatchHit(request.headers['if-none-match'], etag)) return reply.code(304).send()
  const { type, body, digest } = represent(answer, representation)
  return reply.headers({
    'content-type': type,
    'corelo-attestation': answer.attestation,
    'content-digest': request.method === 'HEAD' ? DIGEST_OF_NOTHING : digest,
    'repr-digest': digest
  }).send(body)
}

interface Representable { readonly type: string, readonly body: Buffer, readonly digest: string }

function represent (answer: RelocateAnswer, representation: Representation): Representable {
  if (!needsReport(representation)) return { type: representation, body: toBuffer(answer.bytes), digest: digestOf(answer.sha256) }
  const report = Buffer.from(JSON.stringify(toReport(answer)))
  const { type, body } = representation === 'application/json' ? { type: representation, body: report } : toForm(answer, report)
  return { type, body, digest: digestOf(sha256(body)) }
}

/** The boundary is made of the object's own hash: no object contains its hash by accident. */
function toForm (answer: RelocateAnswer, report: Buffer): { type: string, body: Buffer } {
  const boundary = `corelo-${hexOf(answer.sha256).slice(0, 48)}`
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="report"\r\ncontent-type: application/json\r\n\r\n`),
    report,
    Buffer.from(`\r\n--${boundary}\r\ncontent-disposition: form-data; name="object"; filename="relocated.bpf.o"\r\ncontent-type: application/x-elf\r\n\r\n`),
    toBuffer(answer.bytes),
    Buffer.from(`\r\n--${boundary}\r\ncontent-disposition: form-data; name="attestation"\r\ncontent-type: ${ENVELOPE_TYPE}\r\n\r\n`),
    Buffer.from(answer.attestation, 'base64'),
    Buffer.from(`\r\n--${boundary}--\r\n`)
  ])
  return { type: `multipart/form-data; boundary=${boundary}`, body }
}

/** The bytes as something that Fastify sends as they are. It would turn a view of shared memory into JSON, so that is copied. */
export function toBuffer (bytes: Uint8Array): Buffer {
  return bytes.buffer instanceof ArrayBuffer ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes)
}

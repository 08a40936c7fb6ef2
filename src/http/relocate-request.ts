import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'
import type { RelocateRequest } from '../relocation/types.js'
import type { Sha256 } from '../store/sha256.js'
import { mediaTypeOf } from './accept.js'
import type { Config } from './config.js'
import { KERNEL_PARTS, toTargetRequest } from './kernel-parts.js'
import { readForm, type PartKind } from './multipart-request.js'
import { requireObjectBytes, requireObjectText } from './object-parts.js'
import { readBody } from './raw-body.js'
import type { RelocateFields } from './schemas/relocate.js'
import type { UploadLease } from './upload.js'
import { toInvalidRequest } from './validation.js'
import { parseAssumptions } from '../verdict/index.js'

/** What a form of a relocation consists of. */
const PARTS = {
  object: 'file or text',
  ...KERNEL_PARTS,
  on_unresolved: 'text',
  places: 'text',
  assume: 'repeatable text'
} as const satisfies Record<string, PartKind>

const RAW_TYPES = ['application/x-elf', 'application/octet-stream'] as const
const ACCEPTED = ['multipart/form-data', ...RAW_TYPES]
/** What `curl --data-binary` calls every body unless told otherwise. */
const CURL_DEFAULT_TYPE = 'application/x-www-form-urlencoded'
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46]

/**
 * Reads a relocation from a form, or from a raw body beside query parameters.
 *
 * @throws AppError `invalid_request`, `too_large`, `unsupported_media_type`, `object_invalid`, `overloaded`
 */
export async function readRelocation (
  request: FastifyRequest,
  config: Config,
  lease: UploadLease,
  wantsReport: boolean
): Promise<RelocateRequest> {
  const type = mediaTypeOf(request.headers['content-type'])
  if (type === 'multipart/form-data') return await readFromForm(request, config, lease, wantsReport)
  if (type !== undefined && type !== CURL_DEFAULT_TYPE && !RAW_TYPES.includes(type as typeof RAW_TYPES[number])) throw unsupported()
  const object = await readBody(request, config.maxObjectBytes, lease)
  if (object.length === 0) {
    throw invalid('object',
      'The request has no object; send the eBPF ELF object as the body, or as the part object of multipart/form-data.')
  }
  if (type === CURL_DEFAULT_TYPE && !isElf(object)) throw unsupported()
  return toRelocateRequest(request.query as RelocateFields, { object, objectSha256: undefined, btf: undefined }, wantsReport)
}

async function readFromForm (
  request: FastifyRequest,
  { maxObjectBytes, maxBtfBytes }: Config,
  lease: UploadLease,
  wantsReport: boolean
): Promise<RelocateRequest> {
  const [parameter] = Object.keys(request.query as object)
  if (parameter !== undefined) {
    throw invalid(parameter, `With multipart/form-data the fields are parts, not query parameters; send ${parameter} as a part.`)
  }
  const { texts, repeated, files } = await readForm(request, PARTS, { fileBytes: { object: maxObjectBytes, btf: maxBtfBytes }, lease })
  const { object: objectText, ...single } = texts
  const fields = { ...single, ...repeated }
  const validate = request.getValidationFunction('querystring')
  const isValid = (form: object): form is RelocateFields => validate?.(form) === true
  if (!isValid(fields)) throw toInvalidRequest(validate?.errors ?? [], 'form')
  const [object] = files['object'] ?? []
  if (object !== undefined) requireObjectBytes(object)
  const objectSha256 = object === undefined ? requireObjectHash(objectText) : undefined
  return toRelocateRequest(fields, { object, objectSha256, btf: files['btf'] }, wantsReport)
}

function requireObjectHash (text: string | undefined): Sha256 {
  if (text === undefined) {
    throw invalid('object',
      'The part object is missing; send the eBPF ELF object as a file, or as text the sha256:… of one that the service holds.')
  }
  return requireObjectText(text)
}

function toRelocateRequest (
  fields: RelocateFields,
  { object, objectSha256, btf }: Pick<RelocateRequest, 'object' | 'objectSha256' | 'btf'>,
  wantsReport: boolean
): RelocateRequest {
  return {
    object,
    objectSha256,
    ...toTargetRequest(fields, btf),
    onUnresolved: fields.on_unresolved ?? 'poison',
    places: fields.places,
    assume: fields.assume === undefined ? undefined : parseAssumptions(fields.assume),
    wantsReport
  }
}

function isElf (bytes: Uint8Array): boolean { return ELF_MAGIC.every((byte, i) => bytes[i] === byte) }

function unsupported (): AppError {
  return new AppError('unsupported_media_type',
    `Send the object as ${ACCEPTED.join(', ')} (in the Content-Type header); ` +
    'fields are parts of the form, or query parameters beside a raw body.',
    { accepted: ACCEPTED })
}

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }

import type { FastifyRequest } from 'fastify'
import type { CheckRequest } from '../check/checks.js'
import { CHECK_LIMITS } from '../check/limits.js'
import { parseEarlier } from '../check/parse.js'
import { AppError } from '../errors.js'
import { mediaTypeOf } from './accept.js'
import { readForm, type PartKind } from './multipart-request.js'
import { requireObjectText } from './object-parts.js'
import { CheckFields } from './schemas/check.js'
import type { UploadLease } from './upload.js'
import { toInvalidRequest } from './validation.js'

const PARTS = {
  object: 'repeatable file or text',
  kernels: 'repeatable text',
  baseline: 'file or text',
  group: 'text',
  fetch: 'text'
} as const satisfies Record<string, PartKind>

const FORM = 'multipart/form-data'
/** Each object and each pattern may be a part of its own. */
const MAX_PARTS = CHECK_LIMITS.objects + CHECK_LIMITS.patterns + 16
/** Bytes of an earlier answer: some twenty thousand rows, or any number of kernels in groups. */
const MAX_BASELINE_BYTES = 32 * 1024 * 1024

/** A check as it was asked for, and how its rows are wanted. */
export interface WantedCheck {
  readonly request: Omit<CheckRequest, 'caller'>
  readonly isGrouped: boolean
}

/**
 * Reads the form of a check. `group` and `fetch` may stand in the query instead.
 *
 * @throws AppError `invalid_request`, `too_large`, `unsupported_media_type`, `overloaded`
 */
export async function readCheck (request: FastifyRequest, lease: UploadLease): Promise<WantedCheck> {
  if (mediaTypeOf(request.headers['content-type']) !== FORM) {
    throw new AppError('unsupported_media_type',
      `Send the objects and the kernels as ${FORM} (in the Content-Type header).`,
      { accepted: [FORM] })
  }
  const fileBytes = { object: CHECK_LIMITS.objectBytes, baseline: MAX_BASELINE_BYTES }
  const { texts, repeated, files, fileNames } = await readForm(request, PARTS, { fileBytes, lease, maxParts: MAX_PARTS })
  const { baseline: baselineText, ...parts } = texts
  const fields = { ...parts, ...fromQuery(request.query as CheckFields, parts) }
  const validate = request.compileValidationSchema(CheckFields, 'body')
  const isValid = (given: object): given is CheckFields => validate(given) === true
  if (!isValid(fields)) throw toInvalidRequest(validate.errors ?? [], 'form')
  const earlier = files['baseline']?.[0]
  const baseline = baselineText ?? (earlier === undefined ? undefined : Buffer.from(earlier).toString())
  return {
    isGrouped: fields.group === 'outcome',
    request: {
      objects: [
        ...(files['object'] ?? []).map((content, i) => toObject(content, fileNames['object']?.[i])),
        ...(repeated['object'] ?? []).map(text => ({ content: requireObjectText(text) }))
      ],
      kernels: (repeated['kernels'] ?? []).flatMap(text => text.split(/[\r\n]+/)).map(line => line.trim()).filter(line => line !== ''),
      fetch: fields.fetch === 'true',
      ...(baseline === undefined ? {} : { baseline: await parseEarlier(baseline) })
    }
  }
}

/** What a caller may call a file that is shown to others. */
const MAX_NAME = 255

function toObject (content: Uint8Array, name: string | undefined): CheckRequest['objects'][number] {
  return { name: name?.trim().slice(0, MAX_NAME) || undefined, content }
}

function fromQuery (query: CheckFields, parts: Readonly<Record<string, unknown>>): CheckFields {
  const twice = Object.keys(query).find(name => name in parts)
  if (twice !== undefined) {
    throw new AppError('invalid_request', `${twice} is in the query and in the form; give it once.`, { field: twice })
  }
  return query
}

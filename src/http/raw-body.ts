import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'
import { mediaTypeOf } from './accept.js'
import { createCollector, createSharedCollector, readChunks, tooLarge, type UploadLease } from './upload.js'

const RAW_TYPES = ['application/octet-stream', 'application/x-elf']

/** Leaves the bodies of a scope unread, so that its handlers read them as they need, after everything else was checked. */
export function leaveBodiesUnread (app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  // The types that are usual by name, because Fastify reads a type that only * covers anew for every request.
  app.addContentTypeParser([...RAW_TYPES, '*'], (_request, _payload, done) => { done(null) })
}

/**
 * All of a body, whatever its type.
 *
 * @param isKept whether it is going to be kept in shared memory: it is received there where it says its length
 * @throws AppError `too_large`, `overloaded`, `invalid_request` where it breaks off
 */
export function readBody (request: FastifyRequest, limit: number, lease: UploadLease, isKept = false): Promise<Uint8Array> {
  const length = Number(request.headers['content-length'])
  if (length > limit) return Promise.reject(tooLarge('body', limit))
  const collector = isKept && length > 0 ? createSharedCollector(length, lease) : createCollector('body', limit, lease)
  return readChunks(request.raw, collector.add).then(collector.toBytes)
}

/**
 * The body of a request that stores content.
 *
 * @throws AppError `unsupported_media_type`, `too_large`, `invalid_request`, `overloaded`
 */
export async function readRawBody (
  request: FastifyRequest,
  limit: number,
  lease: UploadLease,
  { types = RAW_TYPES, isKept = false }: { readonly types?: readonly string[], readonly isKept?: boolean } = {}
): Promise<Uint8Array> {
  const type = mediaTypeOf(request.headers['content-type'])
  if (type !== undefined && !types.includes(type)) {
    throw new AppError('unsupported_media_type',
      `Send the bytes as ${types.join(' or ')} (in the Content-Type header).`,
      { accepted: types })
  }
  const body = await readBody(request, limit, lease, isKept)
  if (body.length === 0) throw new AppError('invalid_request', 'The request has no body; send the bytes to store.', { field: 'body' })
  return body
}

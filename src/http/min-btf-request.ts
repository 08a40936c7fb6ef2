import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'
import type { MinimiseRequest } from '../relocation/minimising.js'
import { mediaTypeOf } from './accept.js'
import type { Config } from './config.js'
import { KERNEL_PARTS, toTargetRequest } from './kernel-parts.js'
import { readForm, type PartKind } from './multipart-request.js'
import { requireObjectBytes, requireObjectText } from './object-parts.js'
import { KernelFields } from './schemas/relocate.js'
import type { UploadLease } from './upload.js'
import { toInvalidRequest } from './validation.js'

const PARTS = { object: 'repeatable file or text', ...KERNEL_PARTS } as const satisfies Record<string, PartKind>

/**
 * Reads the form that asks for a minimised BTF.
 *
 * @throws AppError `invalid_request`, `too_large`, `unsupported_media_type`, `object_invalid`, `btf_invalid`, `overloaded`
 */
export async function readMinimising (
  request: FastifyRequest,
  { maxObjectBytes, maxBtfBytes }: Config,
  lease: UploadLease
): Promise<MinimiseRequest> {
  if (mediaTypeOf(request.headers['content-type']) !== 'multipart/form-data') {
    throw new AppError('unsupported_media_type',
      'Send multipart/form-data: each object as a part object, and the kernel as text parts such as kernel_release.',
      { accepted: ['multipart/form-data'] })
  }
  const { texts, repeated, files } = await readForm(request, PARTS, { fileBytes: { object: maxObjectBytes, btf: maxBtfBytes }, lease })
  const validate = request.compileValidationSchema(KernelFields, 'querystring')
  const isValid = (form: object): form is KernelFields => validate(form)
  if (!isValid(texts)) throw toInvalidRequest(validate.errors ?? [], 'form')
  const sent = (files['object'] ?? []).map(requireObjectBytes)
  const named = (repeated['object'] ?? []).map(requireObjectText)
  return { objects: [...sent, ...named], ...toTargetRequest(texts, files['btf']) }
}

import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createCollector, readChunks, tooLarge, type UploadLease } from './upload.js'

/** The longest text: 512 module names. */
const MAX_TEXT_BYTES = 64 * 1024
/** Every BTF that one request may carry, and the text fields. */
const MAX_PARTS = LIMITS.moduleBtfs + 16
/** All texts of a form together. */
const MAX_TEXTS_BYTES = 16 * 1024 * 1024
/** Boundary, headers and file name of a part, where it is asked whether a whole form is too large. Of usual parts it is a tenth. */
const PART_HEAD_BYTES = 1024

/** What a form may contain, by the name of the part. A `file or text` part is a file where it has a file name or a binary type. */
export type PartKind = 'text' | 'repeatable text' | 'file or text' | 'repeatable file' | 'repeatable file or text'

export interface FormLimits {
  /** By part: the most bytes that its files may have together. */
  readonly fileBytes: Readonly<Record<string, number>>
  readonly lease: UploadLease
  /** Default: every BTF that one request may carry, and the text fields. */
  readonly maxParts?: number
}

/** A form, read completely. */
export interface Form {
  readonly texts: Readonly<Record<string, string>>
  /** Of parts that may be repeated. */
  readonly repeated: Readonly<Record<string, readonly string[]>>
  readonly files: Readonly<Record<string, readonly Uint8Array[]>>
  /** As the caller calls its files, in the same order. */
  readonly fileNames: Readonly<Record<string, ReadonlyArray<string | undefined>>>
}

const BINARY_TYPES = new Set(['application/octet-stream', 'application/x-elf'])

/**
 * Reads multipart/form-data as it comes, refusing at the first part that does not belong there, and before it comes where it says to be
 * longer than all parts together may be.
 *
 * @throws AppError `invalid_request`, `too_large`, `overloaded`
 */
export async function readForm (request: FastifyRequest, kinds: Readonly<Record<string, PartKind>>, limits: FormLimits): Promise<Form> {
  refuseTooLong(request, limits)
  try {
    return await readParts(request, kinds, limits)
  } catch (error) {
    if (error instanceof AppError || !(error instanceof Error)) throw error
    throw new AppError('invalid_request', `The form cannot be read: ${reasonOf(error)}.`, { field: 'body' }, { cause: error })
  }
}

/** @throws AppError `too_large` */
function refuseTooLong ({ headers }: FastifyRequest, { fileBytes, maxParts = MAX_PARTS }: FormLimits): void {
  const limit = Object.values(fileBytes).reduce((sum, bytes) => sum + bytes, MAX_TEXTS_BYTES + maxParts * PART_HEAD_BYTES)
  if (Number(headers['content-length']) > limit) {
    const files = Object.entries(fileBytes).map(([name, bytes]) => `${name} ${bytes}`).join(', ')
    throw new AppError('too_large', `The form is larger than the limit of ${limit} bytes for all parts together (of files: ${files}).`,
      { part: 'form', limit })
  }
}

/** What the parser says, in words for callers. Its TypeErrors are of parts whose headers are not as it takes for granted. */
function reasonOf (error: Error & { readonly code?: string }): string {
  if (error.code === 'FST_PROTO_VIOLATION') return 'a part has a name that no form here has'
  if (error instanceof TypeError) return 'the headers of a part have no name of it'
  switch (error.message) {
    case 'Multipart: Boundary not found': return 'the Content-Type header has no boundary'
    case 'Unexpected end of multipart data': return 'it ends before its last boundary'
    default: return error.message
  }
}

async function readParts (
  request: FastifyRequest,
  kinds: Readonly<Record<string, PartKind>>,
  { fileBytes, lease, maxParts = MAX_PARTS }: FormLimits
): Promise<Form> {
  const texts: Record<string, string> = {}
  const repeated: Record<string, string[]> = {}
  const files: Record<string, Uint8Array[]> = {}
  const fileNames: Record<string, Array<string | undefined>> = {}
  const isPartAFile = (name: string | undefined, type: string | undefined, fileName: string | undefined): boolean =>
    fileName !== undefined || BINARY_TYPES.has(type ?? '') || kindOf(kinds, name ?? '') === 'repeatable file'
  let count = 0
  let textBytes = 0
  const limits = { fieldSize: MAX_TEXT_BYTES + 1, parts: maxParts + 1 }
  for await (const part of request.parts({ isPartAFile, preservePath: true, limits })) {
    const name = part.fieldname
    if (++count > maxParts) {
      throw new AppError('too_large', `The form has more than ${maxParts} parts.`, { part: 'form', limit: maxParts })
    }
    const kind = requireKind(kinds, name)
    const isThere = Object.hasOwn(texts, name) || Object.hasOwn(files, name)
    const isRepeatable = kind === 'repeatable file' || kind === 'repeatable file or text'
    if (isThere && !isRepeatable) throw invalid(name, `The part ${name} is there more than once; send it once.`)
    if (part.type === 'field') {
      const text = readText(name, part.value)
      textBytes += text.length
      if (textBytes > MAX_TEXTS_BYTES) {
        throw new AppError('too_large', `The form has more than ${MAX_TEXTS_BYTES} bytes of text.`,
          { part: 'form', limit: MAX_TEXTS_BYTES })
      }
      if (kind === 'repeatable text' || kind === 'repeatable file or text') (repeated[name] ??= []).push(text)
      else texts[name] = text
      continue
    }
    if (kind === 'text' || kind === 'repeatable text') throw invalid(name, `The part ${name} must be text, not a file.`)
    const limit = fileBytes[name] ?? 0
    const earlier = files[name] ?? []
    const content = createCollector(name, limit - totalOf(earlier), lease, limit)
    await readChunks(part.file, content.add)
    files[name] = [...earlier, content.toBytes()]
    fileNames[name] = [...fileNames[name] ?? [], part.filename || undefined]
  }
  return { texts, repeated, files, fileNames }
}

function kindOf (kinds: Readonly<Record<string, PartKind>>, name: string): PartKind | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined
}

function requireKind (kinds: Readonly<Record<string, PartKind>>, name: string): PartKind {
  const kind = kindOf(kinds, name)
  if (kind === undefined) {
    throw invalid(name, `This form has no part ${JSON.stringify(name.slice(0, 64))}; it takes ${Object.keys(kinds).join(', ')}.`)
  }
  return kind
}

function readText (name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(name, `The part ${name} must be plain text.`)
  if (Buffer.byteLength(value) > MAX_TEXT_BYTES) throw tooLarge(name, MAX_TEXT_BYTES)
  return value
}

function totalOf (files: readonly Uint8Array[] = []): number { return files.reduce((sum, { length }) => sum + length, 0) }

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }

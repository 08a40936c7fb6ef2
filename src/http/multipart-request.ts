import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { boundaryOf, createMultipartParser, type PartHeader } from './multipart-parser.js'
import { createCollector, readChunks, tooLarge, type Collector, type UploadLease } from './upload.js'

/** The longest text: 512 module names. */
const MAX_TEXT_BYTES = 64 * 1024
/** Every BTF that one request may carry, and the text fields. */
const MAX_PARTS = LIMITS.moduleBtfs + 16

/** What a form may contain, by the name of the part. A `file or text` part is a file where it has a file name or a binary type. */
export type PartKind = 'text' | 'file or text' | 'repeatable file'

export interface FormLimits {
  /** By part: the most bytes that its files may have together. */
  readonly fileBytes: Readonly<Record<string, number>>
  readonly lease: UploadLease
}

/** A form, read completely. */
export interface Form {
  readonly texts: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, readonly Uint8Array[]>>
}

const BINARY_TYPES = new Set(['application/octet-stream', 'application/x-elf'])

/**
 * Reads multipart/form-data as it comes, refusing at the first part that does not belong there.
 *
 * @throws AppError `invalid_request`, `too_large`, `overloaded`
 */
export async function readForm (request: FastifyRequest, kinds: Readonly<Record<string, PartKind>>, { fileBytes, lease }: FormLimits): Promise<Form> {
  const texts: Record<string, string> = {}
  const files: Record<string, Uint8Array[]> = {}
  let count = 0
  let name = ''
  let isFile = false
  let content: Collector = createCollector('form', 0, lease)

  const parser = createMultipartParser(boundaryOf(request.headers['content-type'] ?? ''), {
    begin (header) {
      if (++count > MAX_PARTS) throw new AppError('too_large', `The form has more than ${MAX_PARTS} parts.`, { part: 'form', limit: MAX_PARTS })
      name = header.name
      isFile = requireKnown(header, kinds)
      const isRepeated = Object.hasOwn(texts, name) || Object.hasOwn(files, name)
      if (isRepeated && kinds[name] !== 'repeatable file') throw invalid(name, `The part ${name} is there more than once; send it once.`)
      content = createCollector(name, isFile ? (fileBytes[name] ?? 0) - totalOf(files[name]) : MAX_TEXT_BYTES, lease)
    },
    data (bytes) {
      try {
        content.add(bytes)
      } catch (error) {
        throw isFile && error instanceof AppError && error.code === 'too_large' ? tooLarge(name, fileBytes[name] ?? 0) : error
      }
    },
    end () {
      const bytes = content.toBytes()
      if (isFile) (files[name] ??= []).push(bytes)
      else texts[name] = bytes.toString()
    }
  })
  await readChunks(request.raw, parser.write)
  parser.finish()
  return { texts, files }
}

/** Whether the part is a file, where it belongs into the form at all. */
function requireKnown ({ name, fileName, type }: PartHeader, kinds: Readonly<Record<string, PartKind>>): boolean {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind === undefined) throw invalid(name, `This form has no part ${JSON.stringify(name.slice(0, 64))}; it takes ${Object.keys(kinds).join(', ')}.`)
  const isFile = fileName !== undefined || (type !== undefined && BINARY_TYPES.has(type))
  if (isFile && kind === 'text') throw invalid(name, `The part ${name} must be text, not a file.`)
  return isFile || kind === 'repeatable file'
}

function totalOf (files: readonly Uint8Array[] = []): number { return files.reduce((sum, { length }) => sum + length, 0) }

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }

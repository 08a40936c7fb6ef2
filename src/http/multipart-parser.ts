import { AppError } from '../errors.js'

/** What the header of a part says. */
export interface PartHeader {
  readonly name: string
  readonly fileName: string | undefined
  /** Media type without parameters, in lower case. */
  readonly type: string | undefined
}

/** Told of parts as they come. What it throws ends the parsing. */
export interface PartSink {
  begin (header: PartHeader): void
  /** A piece of the part's content: a view of what was written. */
  data (bytes: Uint8Array): void
  end (): void
}

export interface MultipartParser {
  /** @throws AppError `invalid_request`, or what the sink throws */
  write (chunk: Uint8Array): void
  /** To be called when all was written. @throws AppError `invalid_request` where the closing boundary did not come */
  finish (): void
}

const MAX_HEADER_BYTES = 8 * 1024
const MAX_BOUNDARY_LENGTH = 200
const CR = 13
const DASH = 45
const SPACE = 32
const TAB = 9
const CRLF = Buffer.from('\r\n')
const EMPTY = Buffer.alloc(0)
const BLANK_LINE = Buffer.from('\r\n\r\n')

/**
 * Parses multipart/form-data (RFC 7578) as it arrives, without a stream for every part.
 *
 *     preamble  CRLF "--" boundary  CRLF headers CRLF CRLF  content  CRLF "--" boundary "--"  epilogue
 *     |-- PREAMBLE --|           |-- DELIMITER --|-- HEADER --|-- CONTENT --|            |-- EPILOGUE --|
 *
 * The delimiter begins with the line break before it, which the very first one may lack.
 */
export function createMultipartParser (boundary: string, sink: PartSink): MultipartParser {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  let state: 'preamble' | 'delimiter' | 'header' | 'content' | 'epilogue' = 'preamble'
  /** What was written but cannot be told apart without the bytes that follow it. */
  let rest: Uint8Array = EMPTY
  let isStart = true

  /** Takes one step at an offset; returns the next offset, or -1 where more bytes are needed (`rest` is set then). */
  const step = (data: Buffer, at: number): number => {
    switch (state) {
      case 'preamble':
      case 'content': {
        const found = data.indexOf(delimiter, at)
        const end = found === -1 ? startOfPossible(delimiter, data, at) : found
        if (state === 'content' && end > at) sink.data(data.subarray(at, end))
        if (found === -1) return wait(data, end)
        if (state === 'content') sink.end()
        state = 'delimiter'
        return found + delimiter.length
      }
      case 'delimiter': {
        let next = at
        while (data[next] === SPACE || data[next] === TAB) next++
        if (data.length - next < 2) return wait(data, at)
        if (data[next] === DASH && data[next + 1] === DASH) state = 'epilogue'
        else if (data[next] === CR && data[next + 1] === CRLF[1]) state = 'header'
        else throw malformed('a boundary is followed by something else than a line break')
        return next
      }
      case 'header': {
        const found = data.indexOf(BLANK_LINE, at)
        if ((found === -1 ? data.length : found) - at > MAX_HEADER_BYTES) throw malformed(`the header of a part is longer than ${MAX_HEADER_BYTES} bytes`)
        if (found === -1) return wait(data, at)
        sink.begin(parseHeader(data.toString('utf8', at, found)))
        state = 'content'
        return found + BLANK_LINE.length
      }
      case 'epilogue': return wait(data, data.length)
    }
  }

  const wait = (data: Buffer, from: number): -1 => {
    rest = data.subarray(from)
    return -1
  }

  return {
    write (chunk) {
      const data = rest.length === 0 ? toBuffer(chunk) : Buffer.concat([rest, chunk])
      let at = 0
      if (isStart) {
        const dashed = delimiter.subarray(CRLF.length)
        if (data.length < dashed.length && data.equals(dashed.subarray(0, data.length))) {
          rest = data
          return
        }
        isStart = false
        if (data.compare(dashed, 0, dashed.length, 0, dashed.length) === 0) {
          state = 'delimiter'
          at = dashed.length
        }
      }
      while (at !== -1) at = step(data, at)
    },
    finish () {
      if (state !== 'epilogue') throw malformed('it ends before its closing boundary')
    }
  }
}

function toBuffer (chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** The offset from which the end of `data` could be the beginning of the delimiter; its length where it cannot. */
function startOfPossible (delimiter: Buffer, data: Buffer, from: number): number {
  let at = data.indexOf(CR, Math.max(from, data.length - delimiter.length + 1))
  while (at !== -1 && data.compare(delimiter, 0, data.length - at, at) !== 0) at = data.indexOf(CR, at + 1)
  return at === -1 ? data.length : at
}

/** The header of a part: `\r\n` and a line each. */
function parseHeader (text: string): PartHeader {
  let disposition: string | undefined
  let type: string | undefined
  for (const line of text.split('\r\n')) {
    if (line === '') continue
    const colon = line.indexOf(':')
    if (colon <= 0 || line.startsWith(' ') || line.startsWith('\t')) throw malformed('the header of a part has a line that is none')
    const value = line.slice(colon + 1).trim()
    const field = line.slice(0, colon).toLowerCase()
    if (field === 'content-disposition') disposition = value
    else if (field === 'content-type') type = value.split(';', 1)[0]?.trim().toLowerCase()
    else if (field === 'content-transfer-encoding' && !/^(?:7bit|8bit|binary)$/i.test(value)) throw malformed('a part has a Content-Transfer-Encoding; send it as it is')
  }
  return { ...parseDisposition(disposition), type }
}

/** As every usual client writes it. */
const PLAIN_DISPOSITION = /^form-data; name="([^"\\]*)"(?:; filename="([^"\\]*)")?$/

function parseDisposition (value: string | undefined): { readonly name: string, readonly fileName: string | undefined } {
  const [, plainName, plainFileName] = PLAIN_DISPOSITION.exec(value ?? '') ?? []
  if (plainName !== undefined) return { name: plainName, fileName: plainFileName }
  if (value === undefined || !/^form-data\s*(?:;|$)/i.test(value)) throw malformed('a part has no Content-Disposition: form-data')
  const parameters = parseParameters(value)
  const name = parameters.get('name')
  if (name === undefined) throw malformed('a part has no name')
  return { name, fileName: parameters.get('filename') ?? parameters.get('filename*') }
}

/** Parameters of a header's value, by lower-case name. Of a repeated one the first counts. */
function parseParameters (value: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, token] of value.matchAll(/;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g)) {
    const key = name.toLowerCase()
    if (!parameters.has(key)) parameters.set(key, quoted?.replace(/\\(["\\])/g, '$1') ?? token ?? '')
  }
  return parameters
}

/**
 * The boundary that a Content-Type header names.
 *
 * @throws AppError `invalid_request`
 */
export function boundaryOf (contentType: string): string {
  const boundary = parseParameters(contentType).get('boundary')
  if (boundary === undefined || boundary === '' || boundary.length > MAX_BOUNDARY_LENGTH) {
    throw new AppError('invalid_request', `The Content-Type multipart/form-data needs a boundary of 1 to ${MAX_BOUNDARY_LENGTH} characters.`, { field: 'content-type' })
  }
  return boundary
}

function malformed (reason: string): AppError {
  return new AppError('invalid_request', `The body is not readable as multipart/form-data: ${reason}.`, { field: 'body' })
}

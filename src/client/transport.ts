import { AppError } from '../errors.js'
import { requireDigest } from './digest.js'
import { answerError, toError, transportError } from './problem.js'
import { readAuthorization } from './token.js'
import { wayFailure } from '../network/failure.js'
import { openFetch } from '../network/fetch.js'
import type { Network } from '../network/network.js'

/** A problem document may list every relocation of an object that cannot be relocated. */
const MAX_PROBLEM_BYTES = 16 * 1024 * 1024

export interface Call {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** Below the server's address, from the slash on. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: FormData | Uint8Array
  /** Most bytes of a good answer. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer<ArrayBuffer>
}

/** Sends requests to one server, each within a time and a size, and checks what arrives against its digest. */
export interface Transport {
  /**
   * An answer of 2xx or 304.
   *
   * @throws AppError with the code of the service's problem document, or a failure of kind `transport` or `answer`
   */
  send(call: Call): Promise<Reply>
  /**
   * A good answer line by line, as it comes. The time bounds how long nothing at all arrives; `maxBytes` is of one line.
   *
   * @throws AppError as `send`
   */
  lines(call: Call): Promise<AsyncGenerator<string>>
}

export interface TransportOptions {
  /** `https://corelo.example`, or with a path below which the service is. */
  readonly server: string
  readonly tokenFile?: string | undefined
  /** Longest time of one request, from the connection to the last byte. */
  readonly timeoutMs: number
  /** Proxies, and authorities that are believed. Undefined: as Node by itself. */
  readonly network?: Network | undefined
}

/**
 * The platform's `fetch` does it: next to the undici package, which is the same client, it takes ten megabytes less of memory,
 * of which an agent on every node should have little. Only a proxy or an authority of one's own takes the package.
 */
export function createTransport ({ server, tokenFile, timeoutMs, network = {} }: TransportOptions): Transport {
  const base = toBase(server)
  const opening = openFetch(network)
  return {
    async send ({ method, path, headers = {}, body, maxBytes, signal }) {
      const authorization = tokenFile === undefined ? {} : { authorization: await readAuthorization(tokenFile) }
      const deadline = AbortSignal.timeout(timeoutMs)
      const excess = new AbortController()
      try {
        const fetch = await opening
        const response = await fetch(`${base}${path}`, {
          method,
          // The digest is about what is sent, so that nothing may be compressed on the way.
          headers: { 'accept-encoding': 'identity', ...headers, ...authorization },
          signal: AbortSignal.any([deadline, excess.signal, ...(signal === undefined ? [] : [signal])]),
          redirect: 'manual', // a token is for one server
          ...(body === undefined ? {} : { body })
        })
        const isGood = response.ok || response.status === 304
        const bytes = await readBounded(response, isGood ? maxBytes : MAX_PROBLEM_BYTES, server, excess)
        if (!isGood) {
          throw toError({
            server,
            status: response.status,
            contentType: response.headers.get('content-type') ?? '',
            retryAfter: response.headers.get('retry-after'),
            body: bytes
          })
        }
        if (method !== 'HEAD') requireDigest(response.headers.get('content-digest'), bytes, server)
        return { status: response.status, headers: response.headers, body: bytes }
      } catch (error) {
        if (error instanceof AppError || signal?.aborted === true) throw error
        if (deadline.aborted) {
          throw transportError('source_timeout', server,
            `${server} did not answer within ${timeoutMs} ms; check that the service is up and not overloaded.`, error)
        }
        throw transportError('source_failed', server, `${server} cannot be reached: ${explain(error)}.`, error)
      }
    },
    async lines ({ method, path, headers = {}, body, maxBytes, signal }) {
      const authorization = tokenFile === undefined ? {} : { authorization: await readAuthorization(tokenFile) }
      const silence = createSilence(timeoutMs)
      const asError = (error: unknown): unknown => {
        if (error instanceof AppError || signal?.aborted === true) return error
        return silence.signal.aborted
          ? transportError('source_timeout', server,
            `${server} sent nothing for ${timeoutMs} ms; check that the service is up and not overloaded.`, error)
          : transportError('source_failed', server, `${server} cannot be reached: ${explain(error)}.`, error)
      }
      try {
        const response = await (await opening)(`${base}${path}`, {
          method,
          headers: { 'accept-encoding': 'identity', ...headers, ...authorization },
          signal: AbortSignal.any([silence.signal, ...(signal === undefined ? [] : [signal])]),
          redirect: 'manual',
          ...(body === undefined ? {} : { body })
        })
        if (response.ok) return linesOf(response, { maxBytes, server, silence, asError })
        throw toError({
          server,
          status: response.status,
          contentType: response.headers.get('content-type') ?? '',
          retryAfter: response.headers.get('retry-after'),
          body: await readBounded(response, MAX_PROBLEM_BYTES, server, silence)
        })
      } catch (error) {
        silence.end()
        throw asError(error)
      }
    }
  }
}

/** Aborts where nothing has been heard for a time. */
interface Silence extends AbortController {
  heard(): void
  end(): void
}

function createSilence (ms: number): Silence {
  const controller = new AbortController()
  const timer = setTimeout(() => { controller.abort() }, ms)
  return Object.assign(controller, { heard () { timer.refresh() }, end () { clearTimeout(timer) } })
}

interface LinesOptions {
  readonly maxBytes: number
  readonly server: string
  readonly silence: Silence
  readonly asError: (error: unknown) => unknown
}

async function * linesOf (response: Response, { maxBytes, server, silence, asError }: LinesOptions): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  let rest = ''
  try {
    for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
      silence.heard()
      const lines = (rest + decoder.decode(read.value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > maxBytes) throw answerError(server, `${server} answered with a line of more than ${maxBytes} characters.`)
      yield * lines
    }
    rest += decoder.decode()
    if (rest !== '') yield rest
  } catch (error) {
    throw asError(error)
  } finally {
    silence.end()
    silence.abort() // whoever stops reading wants no more
  }
}

/**
 * All of a body, or its request ended. The stream is never cancelled: with data still on the way, some versions of the platform's
 * fetch then throw where nobody can catch it, and an answer of a stranger would end the process.
 */
async function readBounded (response: Response, maxBytes: number, server: string, excess: AbortController): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
    size += read.value.length
    if (size > maxBytes) {
      excess.abort()
      throw answerError(server, `${server} answered with more than ${maxBytes} bytes, which no good answer has.`)
    }
    chunks.push(read.value)
  }
  return Buffer.concat(chunks, size)
}

/** @throws AppError `invalid_request` */
function toBase (server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new AppError('invalid_request',
      'The server must be an http:// or https:// address without query and user, such as https://corelo.example, ' +
      `not ${JSON.stringify(server)}.`)
  }
  return url.href.replace(/\/+$/, '')
}

/** What the network said, in words. */
function explain (error: unknown): string {
  const way = wayFailure(error)
  if (way !== undefined) return way
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  switch (code) {
    case 'ECONNREFUSED': return 'nothing listens at that address'
    case 'ENOTFOUND': case 'EAI_AGAIN': return 'its name cannot be resolved'
    case 'ECONNRESET': case 'EPIPE': case 'UND_ERR_SOCKET': return 'the connection broke off'
    case 'EHOSTUNREACH': case 'ENETUNREACH': return 'there is no route to it'
    case 'ETIMEDOUT': case 'UND_ERR_CONNECT_TIMEOUT': return 'the connection could not be made in time'
    default:
      return cause instanceof Error
        ? `${cause.message}${code === '' || cause.message.includes(code) ? '' : ` (${code})`}`
        : String(cause)
  }
}

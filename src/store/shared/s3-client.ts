import { createHash } from 'node:crypto'
import { AwsV4Signer } from 'aws4fetch'
import { request, type Dispatcher } from 'undici'
import { createDispatcher } from '../../network/dispatcher.js'
import { wayFailure } from '../../network/failure.js'
import type { Network } from '../../network/network.js'
import { bucketUrl, type S3Settings } from './s3-settings.js'

/** What a request came to. `absent`: there is no such key. `failed`: the store is to blame, or how it is set up. */
export type S3Answer<T> =
  | { readonly state: 'done', readonly value: T }
  | { readonly state: 'absent' }
  | { readonly state: 'failed', readonly reason: string, /** Whether asking at once again may help. */ readonly isTransient: boolean }

export interface S3Object {
  /** In shared memory. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** SHA-256 of them in hex, computed as they came. */
  readonly sha256: string
}

export interface ListedKey {
  readonly key: string
}

/** The few requests of S3 that a shared store needs. Keys are below the prefix. Never rejects. */
export interface S3Client {
  get(key: string, maxBytes: number): Promise<S3Answer<S3Object>>
  /** Its size in bytes. */
  head(key: string): Promise<S3Answer<number>>
  put(key: string, bytes: Uint8Array, sha256: string): Promise<S3Answer<null>>
  /** Keys below a part of a key, in as many answers as it takes; whether those are all. */
  list(below: string, maxKeys: number): Promise<S3Answer<{ readonly keys: readonly ListedKey[], readonly isComplete: boolean }>>
  close(): Promise<void>
}

/** Waiting for the first byte of an answer, with the connection made on the way. */
const FIRST_BYTE_MS = 500
/** The same where nobody waits. */
const PATIENT_MS = 10_000
/** Nothing comes for this long in the middle of an answer. */
const STALL_MS = 2000
/** A whole answer or upload. */
const TOTAL_MS = 30_000
const CONNECTIONS = 50
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const MAX_LIST_BYTES = 4 * 1024 * 1024

export function createS3Client (settings: S3Settings, network: Network = {}): S3Client {
  const { accessKeyId, secretAccessKey, sessionToken, region, prefix, firstByteMs: hurriedMs = FIRST_BYTE_MS } = settings
  const base = bucketUrl(settings)
  const signingKeys = new Map<string, ArrayBuffer>()
  const agent = createDispatcher(network, { connections: CONNECTIONS, connectMs: hurriedMs, bodyTimeout: STALL_MS })
  const keyOf = (key: string): string => prefix === '' ? key : `${prefix}/${key}`
  const urlOf = (key: string): URL => new URL(keyOf(key).split('/').map(encodeURIComponent).join('/'), base)

  interface Call {
    readonly method: 'GET' | 'HEAD' | 'PUT'
    readonly url: URL
    readonly body?: { readonly bytes: Uint8Array, readonly sha256: string }
    readonly firstByteMs?: number
  }
  const call = async <T>(
    { method, url, body, firstByteMs = hurriedMs }: Call,
    read: (response: Dispatcher.ResponseData) => Promise<S3Answer<T>>
  ): Promise<S3Answer<T>> => {
    const aborter = new AbortController()
    const timers = [
      setTimeout(() => { aborter.abort(new Error(`no answer within ${firstByteMs} ms`)) }, firstByteMs),
      setTimeout(() => { aborter.abort(new Error(`not done within ${TOTAL_MS} ms`)) }, TOTAL_MS)
    ]
    try {
      const signed = await new AwsV4Signer({
        method,
        url: url.href,
        service: 's3',
        region,
        accessKeyId,
        secretAccessKey,
        cache: signingKeys,
        headers: { 'x-amz-content-sha256': body?.sha256 ?? EMPTY_SHA256 },
        ...(sessionToken === undefined ? {} : { sessionToken })
      }).sign()
      const response = await request(signed.url, {
        method,
        dispatcher: agent,
        signal: aborter.signal,
        headers: { ...Object.fromEntries(signed.headers), ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }) },
        headersTimeout: firstByteMs + 1000, // the timer above is exact
        ...(body === undefined ? {} : { body: body.bytes })
      })
      response.body.on('error', () => {}) // whoever reads it sees it; what is not read to its end has one as well
      clearTimeout(timers[0])
      const { statusCode } = response
      if (statusCode === 200) return await read(response)
      await response.body.dump({ limit: 16_384 })
      if (statusCode === 404) return { state: 'absent' }
      return { state: 'failed', reason: `it answered ${statusCode} to ${method}`, isTransient: statusCode >= 500 && statusCode !== 503 }
    } catch (error) {
      // A connection that was kept open too long is closed under the next request.
      return {
        state: 'failed',
        reason: wayFailure(error) ?? String(error),
        isTransient: !aborter.signal.aborted && RESET.has(codeOf(error))
      }
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }
  const retried = async <T>(details: Call, read: (response: Dispatcher.ResponseData) => Promise<S3Answer<T>>): Promise<S3Answer<T>> => {
    const answer = await call(details, read)
    return answer.state === 'failed' && answer.isTransient ? await call(details, read) : answer
  }

  /** One answer has at most 1,000 keys. */
  const listPage = async (below: string, token: string | undefined): Promise<S3Answer<ListedPage>> => {
    const url = new URL(base)
    const parameters = { ...(token === undefined ? {} : { 'continuation-token': token }), 'list-type': '2', prefix: keyOf(below) }
    url.search = new URLSearchParams(parameters).toString().replaceAll('+', '%20')
    return await retried({ method: 'GET', url }, async (response): Promise<S3Answer<ListedPage>> => {
      const read = await readObject(response, MAX_LIST_BYTES)
      if (read.state !== 'done') return read
      const text = Buffer.from(read.value.bytes).toString()
      const keys = [...text.matchAll(/<Key>([^<&]{1,1024})<\/Key>/g)]
        .flatMap(([, key = '']) => key.startsWith(keyOf('')) ? [{ key: key.slice(keyOf('').length) }] : [])
      if (!text.includes('<IsTruncated>true')) return { state: 'done', value: { keys, next: undefined } }
      const [, next] = /<NextContinuationToken>([^<]{1,4096})<\/NextContinuationToken>/.exec(text) ?? []
      if (next === undefined) return { state: 'failed', reason: 'it cut a list short and does not say how it goes on', isTransient: false }
      return {
        state: 'done',
        value: {
          keys,
          next: next.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
        }
      }
    })
  }

  return {
    get: async (key, maxBytes) => await retried({ method: 'GET', url: urlOf(key) }, response => readObject(response, maxBytes)),
    head: async key => await retried({ method: 'HEAD', url: urlOf(key) }, async response => {
      return { state: 'done', value: lengthOf(response) ?? 0 }
    }),
    put: async (key, bytes, sha256) => await retried({
      method: 'PUT',
      url: urlOf(key),
      body: { bytes, sha256 },
      firstByteMs: PATIENT_MS
    }, async response => {
      await response.body.dump({ limit: 16_384 })
      return { state: 'done', value: null }
    }),
    async list (below, maxKeys) {
      const keys: ListedKey[] = []
      let token: string | undefined
      for (;;) {
        const page = await listPage(below, token)
        if (page.state !== 'done') return page
        for (const key of page.value.keys) keys.push(key)
        token = page.value.next
        if (keys.length > maxKeys) return { state: 'done', value: { keys: keys.slice(0, maxKeys), isComplete: false } }
        if (token === undefined) return { state: 'done', value: { keys, isComplete: true } }
      }
    },
    close: async () => { await agent.destroy() }
  }
}

interface ListedPage {
  readonly keys: readonly ListedKey[]
  readonly next: string | undefined
}

const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

function codeOf (error: unknown): string { return error instanceof Error && 'code' in error ? String(error.code) : '' }

function lengthOf ({ headers }: Dispatcher.ResponseData): number | undefined {
  const length = Number(headers['content-length'])
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined
}

/** Hashes in pieces as they come, so that a large BTF does not keep the event loop busy. */
async function readObject (response: Dispatcher.ResponseData, maxBytes: number): Promise<S3Answer<S3Object>> {
  const chunks: Uint8Array[] = []
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) return { state: 'failed', reason: `it answered with more than ${maxBytes} bytes`, isTransient: false }
    hash.update(chunk)
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(new SharedArrayBuffer(length))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return { state: 'done', value: { bytes, sha256: hash.digest('hex') } }
}

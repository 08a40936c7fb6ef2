import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { startLoopbackServer, type LoopbackServer } from './loopback-server.js'

/**
 * The few requests of S3 that matter here, from Amazon's documentation: path-style GET, HEAD and PUT of objects, ListObjectsV2.
 * Every request must carry a valid Signature Version 4, and a body must have the hash that was signed.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export interface S3Server extends LoopbackServer {
  /** By `bucket/key`. */
  readonly objects: Map<string, Buffer>
  /** `<method> <path>` of all requests that came, in order. */
  readonly requests: string[]
  /** Reasons for which requests were refused. */
  readonly refusals: string[]
  /** When set, answers in the place of the store. */
  misbehave: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
}

const S3_KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const REGION = 'eu-test-1'

/** What a service needs to know of it. */
export function s3Settings (server: S3Server, prefix = 'corelo') {
  return { bucket: 'fleet', prefix, region: REGION, endpoint: server.url, firstByteMs: 60_000, ...S3_KEYS }
}

/** The same for a server that does not answer: after so many milliseconds it counts as away. */
export const IMPATIENT = { firstByteMs: 500 } as const

/** On loopback, until the test is over. */
export async function startS3Server (): Promise<S3Server> {
  const objects = new Map<string, Buffer>()
  const requests: string[] = []
  const refusals: string[] = []
  const http = await startLoopbackServer((request, response) => {
    requests.push(`${request.method ?? ''} ${decodeURIComponent(request.url ?? '')}`)
    if (store.misbehave !== undefined) return store.misbehave(request, response)
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    const refusal = refusalOf(request, body)
    if (refusal !== undefined) {
      refusals.push(refusal)
      response.writeHead(403).end(`<Error><Code>${refusal}</Code></Error>`)
      return
    }
    const url = new URL(request.url ?? '/', store.url)
    const key = decodeURIComponent(url.pathname.slice(1))
    if (request.method === 'PUT') {
      objects.set(key, body)
      response.end()
    } else if (url.searchParams.get('list-type') === '2') {
      const prefix = `${key}${url.searchParams.get('prefix') ?? ''}`
      const keys = [...objects.keys()].filter(name => name.startsWith(prefix)).map(name => name.slice(key.length)).sort()
      const after = url.searchParams.get('continuation-token')
      const rest = after === null ? keys : keys.filter(name => name > after)
      const shown = rest.slice(0, 1000)
      const next = rest.length > 1000 ? `<NextContinuationToken>${shown.at(-1) ?? ''}</NextContinuationToken>` : ''
      const contents = shown.map(name => `<Contents><Key>${name}</Key></Contents>`).join('')
      response.end(
        '<?xml version="1.0"?><ListBucketResult>' +
          `<IsTruncated>${String(rest.length > 1000)}</IsTruncated>${next}${contents}</ListBucketResult>`
      )
    } else {
      const found = objects.get(key)
      if (found === undefined) response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
      else response.writeHead(200, { 'content-length': found.length }).end(request.method === 'HEAD' ? undefined : found)
    }
  }
  const store: S3Server = { ...http, objects, requests, refusals, misbehave: undefined }
  return store
}

async function bodyOf (request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** What is wrong with a request's signature; undefined where nothing is. */
function refusalOf (request: IncomingMessage, body: Buffer): string | undefined {
  const header = (name: string): string => String(request.headers[name] ?? '')
  const [
    , scope = '', signedHeaders = '', signature = ''
  ] = /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    header('authorization')
  ) ??
    []
  const [date, region, service, terminator] = scope.split('/')
  if (region !== REGION || service !== 's3' || terminator !== 'aws4_request') return 'AuthorizationHeaderMalformed'
  const at = header('x-amz-date')
  const bodyHash = header('x-amz-content-sha256')
  if (!/^\d{8}T\d{6}Z$/.test(at) || !at.startsWith(date ?? '-') ||
    Math.abs(Date.parse(at.replace(/(....)(..)(..T..)(..)/, '$1-$2-$3:$4:')) - Date.now()) > 900_000) return 'RequestTimeTooSkewed'
  if (bodyHash !== createHash('sha256').update(body).digest('hex')) return 'XAmzContentSHA256Mismatch'
  const names = signedHeaders.split(';')
  if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every(name => names.includes(name))) return 'AccessDenied'
  const expected = signV4({
    method: request.method ?? '',
    url: new URL(request.url ?? '/', `http://${header('host')}`),
    headers: names.map(name =>
      [name, header(name)]),
    bodyHash,
    at,
    region: REGION,
    secretAccessKey: S3_KEYS.secretAccessKey
  })
  return timingSafeEqual(Buffer.from(signature), Buffer.from(expected)) ? undefined : 'SignatureDoesNotMatch'
}

export interface V4Input {
  readonly method: string
  readonly url: URL
  /** In the order of their names. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly bodyHash: string
  readonly at: string
  readonly region: string
  readonly secretAccessKey: string
}

/** The signature of a request, in hex, computed as the documentation says. */
export function signV4 ({ method, url, headers, bodyHash, at, region, secretAccessKey }: V4Input): string {
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  const path = url.pathname.split('/').map(part => encode(decodeURIComponent(part))).join('/')
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort().join('&')
  const canonical = [
    method, path, query, ...headers.map(([name, value]) => `${name}:${value.trim()}`), '', headers.map(([name]) => name).join(';'), bodyHash
  ].join('\n')
  const date = at.slice(0, 8)
  const toSign = [
    'AWS4-HMAC-SHA256', at, `${date}/${region}/s3/aws4_request`, createHash('sha256').update(canonical).digest('hex')
  ].join('\n')
  const key = [date, region, 's3', 'aws4_request'].reduce<Buffer>((parent, part) =>
    createHmac('sha256', parent).update(part).digest(), Buffer.from(`AWS4${secretAccessKey}`))
  return createHmac('sha256', key).update(toSign).digest('hex')
}

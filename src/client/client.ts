import { formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { isSha256, sha256, type Sha256 } from '../store/sha256.js'
import { answerError } from './problem.js'
import { parseReport } from '../report/parse.js'
import type { Report } from '../report/wire.js'
import { createTransport, type Reply } from './transport.js'
import { AppError } from '../errors.js'
import type { Network } from '../network/network.js'

const DEFAULT_TIMEOUT_MS = 30_000
/** A relocated object has the size of the original, and a report at most 16 MiB. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024
/** A row of a check lists a hundred places at most, each with what to write instead. */
const MAX_LINE_BYTES = 16 * 1024 * 1024
const MAX_SMALL_ANSWER_BYTES = 4 * 1024 * 1024
const FORM = 'multipart/form-data'

export interface ClientOptions {
  /** `https://corelo.example`, or with a path below which the service is. */
  readonly server: string
  /** A file with the token to send, read for each request. */
  readonly tokenFile?: string | undefined
  /** Longest time of one request. */
  readonly timeoutMs?: number | undefined
  /** Proxies, and authorities that are believed. Undefined: as Node by itself. */
  readonly network?: Network | undefined
}

/** What one relocation is asked for: the object by its bytes or by its hash, and at least one way to name the kernel. */
export interface RelocationRequest {
  readonly object: Uint8Array | Sha256
  readonly kernel?: KernelQuery | undefined
  readonly btfSha256?: Sha256 | undefined
  /** BTF that goes with the request and is not kept: vmlinux first. */
  readonly btf?: readonly Uint8Array[] | undefined
  readonly modules?: readonly string[] | undefined
  /**
   * Modules by the hash of their BTF, which the service holds. The object and its kernel's BTF are named by hash then, and nothing
   * else is asked.
   */
  readonly moduleSha256s?: readonly Sha256[] | undefined
  readonly onUnresolved?: 'poison' | 'fail' | undefined
  /** `name=value` of `.rodata` variables and `.kconfig` externs, for the verdict. */
  readonly assume?: readonly string[] | undefined
  /** Entity tag of an answer that is held: the service then says so instead of sending it again. */
  readonly heldTag?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a minimised BTF is asked for: objects by their bytes or by their hash, and at least one way to name the kernel. */
export type MinimiseRequest = Pick<RelocationRequest, 'kernel' | 'btfSha256' | 'btf' | 'modules'> & {
  readonly objects: ReadonlyArray<Uint8Array | Sha256>
}

/** A relocation as it arrived, its digest checked. What it claims of itself is not verified here: see the attestation. */
export interface RelocationAnswer {
  readonly bytes: Uint8Array
  /** Of the bytes that arrived. */
  readonly sha256: Sha256
  readonly report: Report
  /** The report as it was sent. */
  readonly reportText: string
  /** The DSSE envelope, as JSON; undefined where the service does not sign. */
  readonly attestation: string | undefined
  readonly tag: string | undefined
}

/** What a check is asked for. */
export interface CheckCall {
  readonly objects: ReadonlyArray<{ readonly name: string, readonly bytes: Uint8Array }>
  /** Patterns of kernels. */
  readonly kernels: readonly string[]
  readonly fetch: boolean
  readonly signal?: AbortSignal | undefined
}

/** A kernel of the service's list. Of one that a source offers and that is not held, hash and source are null. */
export interface KernelEntry {
  readonly reference: string
  readonly btf_sha256: string | null
  readonly source: string | null
  /** The package in which its distribution publishes it, as far as that is known. */
  readonly published?: { readonly package: string, readonly bytes: number } | null
}

/** What narrows a list of kernels. */
export interface KernelListFilter {
  readonly distro?: string
  readonly distro_version?: string
  readonly arch?: string
  /** Only kernels that a source is known to have. */
  readonly offered?: boolean
}

/** The service over HTTP. Every rejection is an AppError: with the code of the service's problem, or as `kindOf` tells. */
export interface Client {
  readonly server: string
  /** Undefined where the answer that `heldTag` names is still the one. */
  relocate(request: RelocationRequest): Promise<RelocationAnswer | undefined>
  /** Objects on many kernels: the lines of the answer as they come, as `application/x-ndjson` has them. */
  check(request: CheckCall): Promise<AsyncGenerator<string>>
  /** The smallest BTF with which the objects relocate as with the kernel's: raw. */
  minimiseBtf(request: MinimiseRequest): Promise<Uint8Array>
  putObject(bytes: Uint8Array): Promise<{ readonly created: boolean }>
  hasBtf(hash: Sha256, signal?: AbortSignal): Promise<boolean>
  /** Of the kernel, or of one of its modules, which extends the vmlinux BTF named. `source` says who the service has the BTF from. */
  putKernelBtf(
    reference: KernelReference,
    btf: Uint8Array,
    kernelVersion?: string,
    signal?: AbortSignal,
    module?: string,
    extended?: Sha256
  ): Promise<{ readonly created: boolean, readonly source?: string }>
  /** The JWKS with the keys that the service signs with. */
  keys(signal?: AbortSignal): Promise<unknown>
  /** One page of the kernels that the service has or knows of, and where the next one begins. */
  kernels(
    cursor?: string,
    filter?: KernelListFilter
  ): Promise<{ readonly kernels: readonly KernelEntry[], readonly nextCursor: string | null }>
  /**
   * Has the service fetch a kernel that it does not hold, after those for which somebody waits. Rejects with `fetching` where that
   * takes longer than it was to wait.
   *
   * @param waitSeconds whole seconds that the service waits for it
   */
  fetchKernel(reference: KernelReference, waitSeconds: number): Promise<KernelEntry>
}

export function createClient (options: ClientOptions): Client {
  const { server } = options
  const transport = createTransport({ ...options, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS })
  const binary = { 'content-type': 'application/octet-stream' }

  return {
    server,
    async relocate (request) {
      const { object, btfSha256, moduleSha256s = [] } = request
      const byHash = moduleSha256s.length > 0 && typeof object === 'string' && btfSha256 !== undefined
      const reply = await transport.send({
        ...byHash
          ? { method: 'GET', path: `/relocated/${object}/${btfSha256}?modules=${moduleSha256s.join(',')}` }
          : { method: 'POST', path: '/relocate', body: toForm(request) },
        headers: { accept: FORM, ...(request.heldTag === undefined ? {} : { 'if-none-match': request.heldTag }) },
        maxBytes: MAX_ANSWER_BYTES,
        signal: request.signal
      })
      return reply.status === 304 ? undefined : await readAnswer(reply, server)
    },
    check: async ({ objects, kernels, fetch, signal }) => await transport.lines({
      method: 'POST',
      path: '/check',
      headers: { accept: 'application/x-ndjson' },
      body: toCheckForm(objects, kernels, fetch),
      maxBytes: MAX_LINE_BYTES,
      signal
    }),
    async minimiseBtf ({ objects, ...target }) {
      const form = new FormData()
      for (const object of objects) appendObject(form, object)
      appendTarget(form, target)
      const { body } = await transport.send({
        method: 'POST',
        path: '/min-btf',
        body: form,
        headers: { accept: 'application/octet-stream' },
        maxBytes: MAX_ANSWER_BYTES
      })
      return body
    },
    async putObject (bytes) {
      const { status } = await transport.send({
        method: 'PUT',
        path: `/objects/${sha256(bytes)}`,
        headers: binary,
        body: bytes,
        maxBytes: MAX_SMALL_ANSWER_BYTES
      })
      return { created: status === 201 }
    },
    async hasBtf (hash, signal) {
      try {
        await transport.send({ method: 'HEAD', path: `/btf/${hash}`, maxBytes: 0, signal })
        return true
      } catch (error) {
        // An answer to HEAD has no body, and so no code.
        if (error instanceof AppError && error.details['status'] === 404) return false
        throw error
      }
    },
    async putKernelBtf (reference, btf, kernelVersion, signal, module, extended) {
      const parameters = {
        ...(kernelVersion === undefined ? {} : { kernel_version: kernelVersion }),
        ...(module === undefined || extended === undefined ? {} : { btf_sha256: extended })
      }
      const query = Object.entries(parameters)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
        .map((pair, i) => `${i === 0 ? '?' : '&'}${pair}`)
        .join('')
      const answer = await transport.send({
        method: 'PUT',
        path: `/kernels/${formatReference(reference)}/btf${module === undefined ? '' : `/${module}`}${query}`,
        headers: binary,
        body: btf,
        maxBytes: MAX_SMALL_ANSWER_BYTES,
        signal
      })
      const source = sourceIn(parseJson(answer, server))
      return { created: answer.status === 201, ...(source === undefined ? {} : { source }) }
    },
    async keys (signal) {
      const answer = await transport.send({
        method: 'GET',
        path: '/.well-known/corelo-keys.json',
        maxBytes: MAX_SMALL_ANSWER_BYTES,
        signal
      })
      return parseJson(answer, server)
    },
    async kernels (cursor, filter = {}) {
      const query = Object.entries({ ...filter, cursor })
        .flatMap(([name, value]) => value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`])
        .join('&')
      const path = `/kernels${query === '' ? '' : `?${query}`}`
      const page = parseJson(await transport.send({ method: 'GET', path, maxBytes: MAX_ANSWER_BYTES }), server)
      if (!isKernelPage(page)) throw answerError(server, `${server} answered with something else than a list of kernels.`)
      return { kernels: page.kernels, nextCursor: page.next_cursor }
    },
    async fetchKernel (reference, waitSeconds) {
      const answer = await transport.send({
        method: 'GET',
        path: `/kernels/${formatReference(reference)}`,
        headers: { prefer: `wait=${waitSeconds}`, priority: 'u=7' }, // RFC 9218: in the background
        maxBytes: MAX_SMALL_ANSWER_BYTES
      })
      const kernel = parseJson(answer, server)
      if (!isKernelEntry(kernel)) throw answerError(server, `${server} answered with something else than a kernel.`)
      return kernel
    }
  }
}

/** Who a service has the BTF of a kernel from, by its answer to a PUT. */
function sourceIn (kernel: unknown): string | undefined {
  return typeof kernel === 'object' && kernel !== null && 'source' in kernel && typeof kernel.source === 'string'
    ? kernel.source
    : undefined
}

function toForm ({ object, onUnresolved, assume = [], ...target }: RelocationRequest): FormData {
  const form = new FormData()
  appendObject(form, object)
  appendTarget(form, target)
  if (onUnresolved !== undefined) form.append('on_unresolved', onUnresolved)
  for (const assumption of assume) form.append('assume', assumption)
  return form
}

function appendObject (form: FormData, object: Uint8Array | Sha256): void {
  if (typeof object === 'string') form.append('object', object)
  else form.append('object', new Blob([object]), 'object.bpf.o')
}

function appendTarget (
  form: FormData,
  { kernel, btfSha256, btf = [], modules = [] }: Pick<RelocationRequest, 'kernel' | 'btfSha256' | 'btf' | 'modules'>
): void {
  if (kernel !== undefined) {
    form.append('kernel_release', isWholeReference(kernel) ? formatReference(kernel) : kernel.release)
    const names = [
      ['distro', kernel.distro],
      ['distro_version', kernel.distroVersion],
      ['arch', kernel.arch],
      ['kernel_version', kernel.kernelVersion],
      ['kernel_build_id', kernel.buildId]
    ] as const
    for (const [name, value] of names) {
      if (value !== undefined) form.append(name, value)
    }
  }
  if (btfSha256 !== undefined) form.append('btf_sha256', btfSha256)
  if (modules.length > 0) form.append('modules', modules.join(','))
  for (const bytes of btf) form.append('btf', new Blob([bytes]), 'vmlinux.btf')
}

/** Characters of patterns that go as one part. A service takes parts of twice as many bytes. */
const PATTERNS_PART = 32_000

function toCheckForm (objects: CheckCall['objects'], kernels: readonly string[], fetch: boolean): FormData {
  const form = new FormData()
  for (const { name, bytes } of objects) form.append('object', new Blob([bytes]), name)
  let part = ''
  for (const kernel of kernels) {
    if (part !== '' && part.length + kernel.length >= PATTERNS_PART) {
      form.append('kernels', part)
      part = ''
    }
    part += part === '' ? kernel : `\n${kernel}`
  }
  form.append('kernels', part)
  if (fetch) form.append('fetch', 'true')
  return form
}

async function readAnswer (reply: Reply, server: string): Promise<RelocationAnswer> {
  const wrong = (what: string): AppError =>
    answerError(server, `${server} answered with ${what}; is it a corelo service, of a version that this one can talk to?`)
  const contentType = reply.headers.get('content-type') ?? ''
  if (!contentType.startsWith(FORM)) throw wrong('something else than a form')
  const form = await new Response(reply.body, { headers: { 'content-type': contentType } }).formData()
    .catch(() => { throw wrong('a form that cannot be read') })
  const bytes = await bytesOf(form.get('object'))
  const reportText = await textOf(form.get('report'))
  if (bytes === undefined || reportText === undefined) throw wrong('a form that lacks the object or the report')
  const report = parseReport(tryParse(reportText))
  if (report === undefined) throw wrong('a report that cannot be read')
  return {
    bytes,
    sha256: sha256(bytes),
    report,
    reportText,
    attestation: await textOf(form.get('attestation')) ?? fromHeader(reply.headers.get('corelo-attestation')),
    tag: reply.headers.get('etag') ?? undefined
  }
}

type FormValue = ReturnType<FormData['get']>

async function bytesOf (value: FormValue): Promise<Uint8Array | undefined> {
  return value === null || typeof value === 'string' ? undefined : new Uint8Array(await value.arrayBuffer())
}

async function textOf (value: FormValue): Promise<string | undefined> {
  return value === null || typeof value === 'string' ? value ?? undefined : await value.text()
}

function fromHeader (header: string | null): string | undefined {
  return header === null ? undefined : Buffer.from(header, 'base64').toString()
}

function parseJson ({ body }: Reply, server: string): unknown {
  const value = tryParse(body.toString())
  if (value === undefined) throw answerError(server, `${server} answered with something else than JSON.`)
  return value
}

function tryParse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isKernelPage (value: unknown): value is { kernels: KernelEntry[], next_cursor: string | null } {
  return typeof value === 'object' && value !== null &&
    'kernels' in value && Array.isArray(value.kernels) && value.kernels.every(isKernelEntry) &&
    'next_cursor' in value && (value.next_cursor === null || typeof value.next_cursor === 'string')
}

function isKernelEntry (value: unknown): value is KernelEntry {
  return typeof value === 'object' && value !== null && 'reference' in value && typeof value.reference === 'string' &&
    'btf_sha256' in value && (value.btf_sha256 === null || (typeof value.btf_sha256 === 'string' && isSha256(value.btf_sha256))) &&
    'source' in value && (value.source === null || typeof value.source === 'string') &&
    (!('published' in value) || isPublished(value.published))
}

function isPublished (value: unknown): boolean {
  return value === null ||
    (typeof value === 'object' &&
      'package' in value && typeof value.package === 'string' &&
      'bytes' in value && typeof value.bytes === 'number')
}

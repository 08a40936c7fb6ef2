import { AppError } from '../errors.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Network } from '../network/network.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import type { KernelJson } from '../wire/kernel.js'
import { parseKernel, parseKernelPage } from '../wire/parse-kernel.js'
import { parseTypeHistory, parseTypesDiff, parseTypeSearch } from '../wire/parse-types.js'
import type { NamedKind, TypeHistoryJson, TypesDiffJson, TypeSearchJson } from '../wire/types.js'
import { parseJson } from './json.js'
import { answerError } from './problem.js'
import {
  FORM, readAnswer, toForm, toMinimiseForm, type MinimiseRequest, type RelocationAnswer, type RelocationRequest
} from './relocation.js'
import { createTransport } from './transport.js'

const DEFAULT_TIMEOUT_MS = 30_000
/** A relocated object has the size of the original, and a report at most 16 MiB. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024
/** A row of a check lists a hundred places at most, each with what to write instead. */
const MAX_LINE_BYTES = 16 * 1024 * 1024
const MAX_SMALL_ANSWER_BYTES = 4 * 1024 * 1024

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

/** What a check is asked for. */
export interface CheckCall {
  readonly objects: ReadonlyArray<{ readonly name: string, readonly bytes: Uint8Array }>
  /** Patterns of kernels. */
  readonly kernels: readonly string[]
  readonly fetch: boolean
  /** Whether the kernels of one outcome are one row. */
  readonly isGrouped: boolean
  readonly signal?: AbortSignal | undefined
}

/** Which types of a kernel are wanted: as WantedTypes of the service. */
export type TypesCall =
  | { readonly form: 'header' }
  | { readonly form: 'c' | 'json', readonly kind: NamedKind, readonly name: string }

/** What narrows a list of kernels. */
export interface KernelListFilter {
  readonly release?: string
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
  /** A type of a kernel as C, or as JSON; all of them as a header. */
  kernelTypes(reference: KernelReference, wanted: TypesCall): Promise<string>
  /** A page of a kernel's types by the beginning of their names, and by a member. */
  searchTypes(
    reference: KernelReference,
    search: { readonly name?: string | undefined, readonly member?: string | undefined, readonly cursor?: string | undefined }
  ): Promise<TypeSearchJson>
  /** How a type differs between two kernels, which are named by whole references or by releases. */
  diffTypes(question: { readonly from: string, readonly to: string, readonly type: string }): Promise<TypesDiffJson>
  /** Where a type, or a member of it, was in the kernels that patterns mean. */
  typeHistory(question: {
    readonly type: string
    readonly member: string | null
    readonly kernels: readonly string[]
  }): Promise<TypeHistoryJson>
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
  ): Promise<{ readonly kernels: readonly KernelJson[], readonly nextCursor: string | null }>
  /**
   * Has the service fetch a kernel that it does not hold, after those that callers wait for. Rejects with `fetching` if that takes
   * longer than the wait.
   *
   * @param waitSeconds whole seconds that the service waits for it
   */
  fetchKernel(reference: KernelReference, waitSeconds: number): Promise<KernelJson>
}

export function createClient (options: ClientOptions): Client {
  const { server } = options
  const transport = createTransport({ ...options, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS })
  const getJson = async (path: string): Promise<unknown> =>
    parseJson(await transport.send({ method: 'GET', path, maxBytes: MAX_ANSWER_BYTES }), server)
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
    check: async ({ objects, kernels, fetch, isGrouped, signal }) => await transport.lines({
      method: 'POST',
      path: isGrouped ? '/check?group=outcome' : '/check',
      headers: { accept: 'application/x-ndjson' },
      body: toCheckForm(objects, kernels, fetch),
      maxBytes: MAX_LINE_BYTES,
      signal
    }),
    async minimiseBtf (request) {
      const { body } = await transport.send({
        method: 'POST',
        path: '/min-btf',
        body: toMinimiseForm(request),
        headers: { accept: 'application/octet-stream' },
        maxBytes: MAX_ANSWER_BYTES
      })
      return body
    },
    async searchTypes (reference, search) {
      const found = parseTypeSearch(await getJson(`/kernels/${formatReference(reference)}/types${queryOf({ ...search, limit: '1000' })}`))
      if (found === undefined) throw answerError(server, `${server} answered with something else than a list of types.`)
      return found
    },
    async kernelTypes (reference, wanted) {
      const { body } = await transport.send({
        method: 'GET',
        path: `/kernels/${formatReference(reference)}/${wanted.form === 'header' ? 'vmlinux.h' : `types/${wanted.kind}/${wanted.name}`}`,
        headers: { accept: wanted.form === 'json' ? 'application/json' : 'text/x-c' },
        maxBytes: MAX_ANSWER_BYTES
      })
      return body.toString()
    },
    async diffTypes (question) {
      const diff = parseTypesDiff(await getJson(`/types/diff${queryOf(question)}`))
      if (diff === undefined) throw answerError(server, `${server} answered with something else than a difference of types.`)
      return diff
    },
    async typeHistory ({ type, member, kernels }) {
      const query = queryOf({ type, member: member ?? undefined, kernels: kernels.join(',') })
      const history = parseTypeHistory(await getJson(`/types/history${query}`))
      if (history === undefined) throw answerError(server, `${server} answered with something else than a history of a type.`)
      return history
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
      const source = parseKernel(parseJson(answer, server))?.source
      return { created: answer.status === 201, ...(source === undefined || source === null ? {} : { source }) }
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
      const page = parseKernelPage(await getJson(`/kernels${queryOf({ ...filter, cursor })}`))
      if (page === undefined) throw answerError(server, `${server} answered with something else than a list of kernels.`)
      return { kernels: page.kernels, nextCursor: page.next_cursor }
    },
    async fetchKernel (reference, waitSeconds) {
      const answer = await transport.send({
        method: 'GET',
        path: `/kernels/${formatReference(reference)}`,
        headers: { prefer: `wait=${waitSeconds}`, priority: 'u=7' }, // RFC 9218: in the background
        maxBytes: MAX_SMALL_ANSWER_BYTES
      })
      const kernel = parseKernel(parseJson(answer, server))
      if (kernel === undefined) throw answerError(server, `${server} answered with something else than a kernel.`)
      return kernel
    }
  }
}

/** From the question mark on; empty where there is nothing to ask for. */
function queryOf (parameters: Readonly<Record<string, string | boolean | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`])
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
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

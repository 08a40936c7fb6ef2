import type { AppError } from '../errors.js'
import { formatReference, isWholeReference, type KernelQuery } from '../identity/reference.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { parseReport } from '../wire/parse-report.js'
import type { Report } from '../wire/report.js'
import { tryParse } from '../wire/parse-json.js'
import { answerError } from './problem.js'
import type { Reply } from './transport.js'

export const FORM = 'multipart/form-data'

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

type TargetFields = Pick<RelocationRequest, 'kernel' | 'btfSha256' | 'btf' | 'modules'>

/** What a minimised BTF is asked for: objects by their bytes or by their hash, and at least one way to name the kernel. */
export type MinimiseRequest = TargetFields & { readonly objects: ReadonlyArray<Uint8Array | Sha256> }

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

/** The form that asks for a relocation. */
export function toForm ({ object, onUnresolved, assume = [], ...target }: RelocationRequest): FormData {
  const form = new FormData()
  appendObject(form, object)
  appendTarget(form, target)
  if (onUnresolved !== undefined) form.append('on_unresolved', onUnresolved)
  for (const assumption of assume) form.append('assume', assumption)
  return form
}

/** The form that asks for a minimised BTF. */
export function toMinimiseForm ({ objects, ...target }: MinimiseRequest): FormData {
  const form = new FormData()
  for (const object of objects) appendObject(form, object)
  appendTarget(form, target)
  return form
}

function appendObject (form: FormData, object: Uint8Array | Sha256): void {
  if (typeof object === 'string') form.append('object', object)
  else form.append('object', new Blob([object]), 'object.bpf.o')
}

function appendTarget (form: FormData, { kernel, btfSha256, btf = [], modules = [] }: TargetFields): void {
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

/**
 * The parts of the answer.
 *
 * @throws AppError `source_invalid` where it is not what the contract says
 */
export async function readAnswer (reply: Reply, server: string): Promise<RelocationAnswer> {
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

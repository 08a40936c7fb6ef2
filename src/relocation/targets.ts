import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Catalog } from '../kernels/catalog/catalog.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import type { KernelRecord } from '../kernels/kernel-record.js'
import { formatQuery, formatReference, type KernelQuery } from '../identity/reference.js'
import { answersForName, inForce, isSameBuild } from '../kernels/matches.js'
import {
  hasBuild, hasModules, recordsOfBuild, recordsOfName,
  type ResolvedKernel, resolveKernel, resolveModules, resolveRecords
} from '../kernels/resolve.js'
import type { ResolveOptions } from '../kernels/unknown-kernel.js'
import type { Sha256 } from '../store/sha256.js'
import { abortable } from '../store/abortable.js'
import { mapInTurn } from '../workers/in-turn.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import type { Fetching } from '../kernels/fetching.js'
import type { LocalKernel } from '../kernels/local-kernel.js'
import { toAnswers, type AskedSource } from '../kernels/source-error.js'
import { isSharedKernel } from '../kernels/shared-kernels.js'
import type { PresetFor } from '../kernels/types.js'
import type { Deadline, RelocateRequest, Warning } from './types.js'

/** The BTFs that a request is about. */
export interface Target {
  readonly btf: Sha256
  readonly modules: readonly Sha256[]
  /** As RelocateAnswer has it. */
  readonly kernel: string | null
  readonly source: string
  /** BTFs that came with the request, vmlinux first: they are held nowhere else. */
  readonly brought: readonly SharedBtf[] | undefined
  /** The index rows by which a name was resolved; none where content was named. */
  readonly records: readonly KernelRecord[]
  /** What the caller should know of how the kernel was found: it was held under another distribution's name. */
  readonly warning?: Warning | undefined
  /** Milliseconds that were spent on sources. */
  readonly fetchMs: number
}

/** The parts of a request that say which BTF is meant. */
export type TargetRequest = Pick<RelocateRequest, 'btf' | 'btfSha256' | 'buildId' | 'kernel' | 'modules' | 'moduleSha256s'>

export interface TargetsOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly local: LocalKernel
  readonly fetching: Fetching
  readonly catalog: Catalog
  readonly trustUploads: boolean
  readonly presetFor?: PresetFor
}

/** Where the content named by hash came from, when no kernel in the index has it. */
const UNNAMED_SOURCE = 'cache'

/** Finds which BTF a request means, in the order that the contract gives: parts, hash, reference, release. Never a guess. */
export interface Targets {
  /**
   * At once where content is named, or a kernel that the index has, and none of its modules by name.
   *
   * @throws AppError `invalid_request`, `kernel_unknown`, `kernel_ambiguous`, `btf_unknown`, `btf_invalid`, `source_failed`,
   *   `source_timeout`, `source_invalid`
   */
  find(request: TargetRequest, deadline?: Deadline): Target | Promise<Target>
}

export function createTargets (
  { index, btfs, local, fetching, catalog, trustUploads, presetFor = () => undefined }: TargetsOptions
): Targets {
  const options = (asked: readonly AskedSource[] = []): ResolveOptions =>
    ({ trustUploads, answers: [local.answer(), ...toAnswers(asked)], offered: catalog.kernels(), presetFor })

  const fromParts = async (parts: readonly [Uint8Array, ...Uint8Array[]], kernel: KernelQuery | undefined): Promise<Target> => {
    const [vmlinux, ...modules] = parts
    const base = await btfs.prepare({ bytes: vmlinux })
    const split = await mapInTurn(modules, bytes => btfs.prepare({ bytes }, base))
    return {
      btf: base.sha256,
      modules: split.map(btf => btf.sha256),
      kernel: kernel === undefined ? null : formatQuery(kernel),
      source: 'request',
      brought: [base, ...split],
      records: [],
      fetchMs: 0
    }
  }

  const byContent = (request: TargetRequest, btf: Sha256, deadline: Deadline | undefined): Target | Promise<Target> => {
    const records = index.byBtf(btf)
    if (records.length === 0) requireNoModule(btf)
    const [record = undefined, ...others] = records.filter(known => answersForName(known, trustUploads))
    const { modules: names = [], moduleSha256s = [] } = request
    const known = record !== undefined && others.length === 0 ? formatReference(record.reference) : null
    const target: Target = {
      btf,
      modules: moduleSha256s,
      kernel: request.kernel === undefined ? known : formatQuery(request.kernel),
      source: record?.source ?? records[0]?.source ?? UNNAMED_SOURCE,
      brought: undefined,
      records: [],
      fetchMs: 0
    }
    return names.length === 0 ? target : withModules(target, resolvedByContent(btf, records), names, deadline)
  }

  /** What is held as a module's BTF is nobody's kernel, even where it can be read without its base. */
  const requireNoModule = (btf: Sha256): void => {
    const [record] = index.byModuleBtf(btf)
    const module = record?.modules.find(({ btfSha256 }) => btfSha256 === btf)
    if (record === undefined || module === undefined) return
    const kernel = formatReference(record.reference)
    throw new AppError('btf_invalid',
      `btf_sha256 ${btf} is the BTF of module ${module.name} of kernel ${kernel}, not that of a kernel; ` +
      `name the kernel's BTF (${record.btfSha256}), and the module in modules.`,
      { btf_sha256: btf, module: module.name, kernel })
  }

  const withModules = async (
    target: Target, kernel: ResolvedKernel, names: readonly string[], deadline: Deadline | undefined
  ): Promise<Target> =>
    ({ ...target, modules: [...target.modules, ...await modulesByName(kernel, names, deadline)] })

  /** A module of the running kernel may have been loaded after the service last looked. */
  const modulesByName = async (
    kernel: ResolvedKernel, names: readonly string[], deadline: Deadline | undefined
  ): Promise<Sha256[]> => {
    const hasAll = (record: KernelRecord): boolean => hasModules(record, names, trustUploads)
    if (kernel.records.some(record => local.owns(record) && !hasAll(record))) await local.refreshModules()
    if (kernel.records.some(record => !hasAll(record))) await index.learn(kernel.records[0].reference)
    const lacking = kernel.records.filter(record => !hasAll(record))
    await fetching.obtainModules(lacking, names, deadline?.caller, deadline?.waitMs)
    const [first, ...others] = kernel.records.map(record => index.get(record.reference, record.btfSha256) ?? record)
    const fresh: ResolvedKernel = first === undefined ? kernel : { ...kernel, records: [first, ...others] }
    return resolveModules(fresh, names, options()).map(module => module.btfSha256)
  }

  /** Whether the index has all that the name can mean, from all who may know. */
  const isHeld = (query: KernelQuery): boolean => {
    const held = heldOf(query)
    return held.length > 0 && fetching.isComplete(query, held) && index.isCurrent(query)
  }
  const heldOf = (query: KernelQuery): readonly KernelRecord[] => {
    const named = recordsOfName(index, query, trustUploads)
    return query.kernelVersion === undefined && query.buildId === undefined
      ? named
      : named.filter(record => isSameBuild(query, record, trustUploads))
  }
  /** The kernel that is meant under the name of the distribution that built it, where nothing is held under the name that was said. */
  const sharedOf = (query: KernelQuery): readonly KernelRecord[] => {
    if (heldOf(query).length > 0) return []
    const named = index.byRelease(query.release).filter(record => answersForName(record, trustUploads))
    return inForce(named).filter(record => isSharedKernel(query, record))
  }

  const byName = (query: KernelQuery, names: readonly string[], deadline: Deadline | undefined): Target | Promise<Target> => {
    if (isHeld(query) || (hasBuild(index, query, trustUploads) && index.isCurrent(query))) {
      return byResolved(resolveKernel(index, query, options()), query, names, deadline)
    }
    const shared = sharedOf(query)
    return shared.length > 0 && [query, ...shared.map(({ reference }) => reference)].every(name => index.isCurrent(name))
      ? byResolved(resolveRecords(query, shared), query, names, deadline)
      : byNameElsewhere(query, names, deadline)
  }

  const byBuildId = (buildId: string, names: readonly string[], deadline: Deadline | undefined): Target | Promise<Target> => {
    const built = recordsOfBuild(index, buildId, trustUploads)
    const [first] = built
    if (first !== undefined) {
      const query = { release: first.reference.release, buildId }
      return byResolved(resolveRecords(query, built), query, names, deadline)
    }
    throw new AppError('kernel_unknown',
      `No kernel is held that is known to have the build-id ${buildId}; name it with kernel_release too, by which sources can be asked.`,
      { kernel: `build-id ${buildId}`, sources: [], nearest: [], candidates: [] })
  }

  const byResolved = (
    kernel: ResolvedKernel, query: KernelQuery, names: readonly string[], deadline: Deadline | undefined, fetchMs = 0
  ): Target | Promise<Target> => {
    const { name, btfSha256: btf, records } = kernel
    fetching.refresh(records)
    const warning = records.every(record => isSharedKernel(query, record)) ? sharedWarning(query, records[0]) : undefined
    const target: Target = { btf, modules: [], kernel: name, source: records[0].source, brought: undefined, records, warning, fetchMs }
    return names.length === 0 ? target : withModules(target, kernel, names, deadline)
  }

  /** Looks for what another process put into the cache, then asks the sources. */
  const byNameElsewhere = async (query: KernelQuery, names: readonly string[], deadline: Deadline | undefined): Promise<Target> => {
    await abortable(index.learn(query), deadline?.signal)
    const held = heldOf(query)
    if (hasBuild(index, query, trustUploads) || (held.length > 0 && fetching.isComplete(query, held))) {
      return await byResolved(resolveKernel(index, query, options()), query, names, deadline)
    }
    for (const { reference } of sharedOf(query)) await abortable(index.learn(reference), deadline?.signal)
    const shared = sharedOf(query)
    if (shared.length > 0) return await byResolved(resolveRecords(query, shared), query, names, deadline)
    const started = performance.now()
    const asked = await abortable(fetching.obtain(query, [], deadline?.caller, deadline?.waitMs), deadline?.signal)
    return await byResolved(resolveKernel(index, query, options(asked)), query, names, deadline, performance.now() - started)
  }

  return {
    find (request, deadline) {
      const { btf: parts = [], btfSha256, buildId = request.kernel?.buildId, kernel, modules = [], moduleSha256s = [] } = request
      const [vmlinux, ...split] = parts
      const count = modules.length + moduleSha256s.length + split.length
      if (count > LIMITS.moduleBtfs) throw invalid(`The request names ${count} modules; at most ${LIMITS.moduleBtfs} can be consulted.`)
      if (vmlinux !== undefined) {
        if (modules.length + moduleSha256s.length > 0) {
          throw invalid('BTF that comes with the request brings its modules too: ' +
            'send their BTF as further btf parts, and leave modules out.')
        }
        return fromParts([vmlinux, ...split], kernel)
      }
      if (btfSha256 !== undefined) {
        if (buildId !== undefined) requireSameBuildId(recordsOfBuild(index, buildId, trustUploads, kernel), buildId, btfSha256)
        return byContent(request, btfSha256, deadline)
      }
      if (kernel === undefined && buildId !== undefined && moduleSha256s.length === 0) return byBuildId(buildId, modules, deadline)
      if (kernel === undefined) throw invalid('The request names no kernel: give kernel_release, btf_sha256, or a btf part.')
      if (moduleSha256s.length > 0) throw invalid('Module hashes go with btf_sha256; a kernel that is named has its modules by name.')
      return byName(buildId === undefined ? kernel : { ...kernel, buildId }, modules, deadline)
    }
  }
}

function resolvedByContent (btf: Sha256, records: readonly KernelRecord[]): ResolvedKernel {
  const [first, ...others] = records
  if (first === undefined) {
    throw new AppError('btf_unknown',
      `No kernel is known that has BTF ${btf}, so that its modules cannot be told by name; name them by hash.`,
      { btf_sha256: btf })
  }
  return { name: btf, btfSha256: btf, records: [first, ...others] }
}

/** Content and build-id may each name the kernel; they must not name two. */
function requireSameBuildId (built: readonly KernelRecord[], buildId: string, btf: Sha256): void {
  const [first] = built
  if (first === undefined || built.some(({ btfSha256 }) => btfSha256 === btf)) return
  throw new AppError('kernel_ambiguous',
    `The build-id ${buildId} is that of ${formatReference(first.reference)}, ` +
    `whose BTF is ${first.btfSha256} and not ${btf}; leave one of them out.`,
    {
      kernel: formatReference(first.reference),
      build_id: buildId,
      candidates: built.map(({ reference, btfSha256, source }) =>
        ({ reference: formatReference(reference), btf_sha256: btfSha256, source }))
    })
}

function sharedWarning (query: KernelQuery, { reference }: KernelRecord): Warning {
  return {
    code: 'shared_kernel',
    message: `${formatQuery(query)} is answered as ${formatReference(reference)}: ` +
      `${query.distro ?? ''} installs kernels of ${reference.distro}, and release and uname -v are the same.`
  }
}

function invalid (message: string): AppError { return new AppError('invalid_request', message) }

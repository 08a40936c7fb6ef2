import { AppError } from '../errors.js'
import { rawBytes, type SharedBtf } from '../store/btf-memory.js'
import type { Catalog } from './catalog/catalog.js'
import { UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type Provenance } from './kernel-record.js'
import type { KernelIndex } from './kernel-index.js'
import { answersForName, isSameBuild, matchesName, type WantedBuild } from './matches.js'
import { buildsOf, keyOfModule, MAX_UPLOADED_MODULES } from './merge-records.js'
import { formatReference, isSegment, toReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { hasBuild, hasModules, recordsOfName, resolveKernel, resolveModules } from './resolve.js'
import { unknownKernel } from './unknown-kernel.js'
import type { Sha256 } from '../store/sha256.js'
import { isLost, type BtfAccess } from './btf-access.js'
import type { Fetching } from './fetching.js'
import { listKernels, toEntry } from './kernel-list.js'
import type { LocalKernel } from './local-kernel.js'
import { toAnswers, type AskedSource } from './source-error.js'
import type { KernelEntry, KernelFilter, KernelPage, PresetFor, PublishedOf } from './types.js'

export interface KernelsOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly local: LocalKernel
  readonly fetching: Fetching
  readonly catalog: Catalog
  readonly trustUploads: boolean
  readonly publishedOf?: PublishedOf
  readonly presetFor?: PresetFor
}

/** Which build of a kernel is meant, who asks, and through which services the question came. */
export interface KernelQuestion extends WantedBuild {
  readonly via?: readonly string[]
  /** Who asks: callers take turns at sources. */
  readonly caller?: string | undefined
  /** Milliseconds that the caller wants to wait for a fetch that takes longer than a request. */
  readonly waitMs?: number
  /** Nobody needs the kernel yet: what takes long comes after what somebody waits for. */
  readonly isAhead?: boolean
}

/** What goes with BTF that is handed in. */
export interface PutFacts {
  /** For a module: the vmlinux BTF that it extends, where the kernel's name alone does not say. */
  readonly extends?: Sha256
  /** Of the kernel, in lower-case hex. */
  readonly buildId?: string
}

/** BTF that a name stands for. */
export interface NamedBtf {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  readonly source: string
  /** The vmlinux BTF that a module's BTF extends. */
  readonly base?: Sha256
  /** As the supplier knew the build. */
  readonly kernelVersion?: string
  readonly buildId?: string
}

/** The kernels that the service knows, and the BTF that nodes and operators hand in for them. */
export interface Kernels {
  /** Of a release: all that replicas know, so that another service may conclude what the release means. */
  list(filter: KernelFilter): Promise<KernelPage>
  get(reference: KernelReference, question?: KernelQuestion): Promise<KernelEntry>
  getBtf(reference: KernelReference, module?: string, question?: KernelQuestion): Promise<NamedBtf>
  /** A kernel's own BTF, parsed, for workers; found as `getBtf` finds it. */
  load(reference: KernelReference, question?: KernelQuestion): Promise<{ readonly btf: SharedBtf, readonly source: string }>
  putBtf(
    reference: KernelReference,
    bytes: Uint8Array,
    provenance: Provenance,
    module?: string,
    facts?: PutFacts
  ): Promise<{ created: boolean, entry: KernelEntry, btfSha256: Sha256 }>
}

export function createKernels ({
  index,
  btfs,
  local,
  fetching,
  catalog,
  trustUploads,
  publishedOf = () => undefined,
  presetFor = () => undefined
}: KernelsOptions): Kernels {
  /** What answers for the name; where nothing does, an upload that has it and says of itself that it is one. */
  const findRecord = (query: KernelQuery): KernelRecord | undefined => {
    for (const trusts of trustUploads ? [true] : [false, true]) {
      const isNamed = recordsOfName(index, query, trusts).some(record => isSameBuild(query, record, trusts))
      if (isNamed || hasBuild(index, query, trusts)) {
        return resolveKernel(index, query, { trustUploads: trusts }).records[0]
      }
    }
    return undefined
  }

  const requireRecord = (query: KernelQuery, asked: readonly AskedSource[] = [], via: readonly string[] = []): KernelRecord => {
    const record = findRecord(query)
    if (record !== undefined) return record
    const error = unknownKernel(index, query, {
      trustUploads: true,
      answers: [local.answer(), ...toAnswers(asked)],
      offered: catalog.kernels(),
      presetFor
    })
    const again = Math.min(...asked.map(({ refusal }) => refusal.retryAfterMs ?? Infinity))
    throw again === Infinity || via.length === 0
      ? error
      : new AppError(error.code, error.message, { ...error.details, retry_after: Math.ceil(again / 1000) })
  }

  /** The row, fetched where nothing answers for the name. */
  const obtainRecord = async (
    query: KernelQuery,
    { via = [], caller, waitMs = 0, isAhead = false }: Omit<KernelQuestion, keyof WantedBuild> = {}
  ): Promise<KernelRecord> => {
    const isAnswered = (): boolean => recordsOfName(index, query, trustUploads).some(record => isSameBuild(query, record, trustUploads))
    if (!isAnswered() || !index.isCurrent(query)) await index.learn(query)
    if (isAnswered() || hasBuild(index, query, trustUploads)) return requireRecord(query)
    let asked: readonly AskedSource[] = []
    try {
      asked = await fetching.obtain(query, via, caller, waitMs, isAhead)
    } catch (error) {
      if (recordsOfName(index, query, true).length === 0) throw error // what is held says of itself that it is an upload
    }
    return requireRecord(query, asked, via)
  }

  /** A row whose content turned out to be lost is forgotten where it was fetched, and fetched again. */
  const loadVmlinux = async (
    query: KernelQuery,
    asking: Omit<KernelQuestion, keyof WantedBuild>
  ): Promise<{ record: KernelRecord, base: SharedBtf }> => {
    const record = await obtainRecord(query, asking)
    try {
      return { record, base: await btfs.load(record.btfSha256) }
    } catch (error) {
      if (!isLost(error) || index.get(record.reference, record.btfSha256) !== undefined) throw error
      const renewed = await obtainRecord(query, asking)
      return { record: renewed, base: await btfs.load(renewed.btfSha256) }
    }
  }

  const putVmlinux = async (reference: KernelReference, bytes: Uint8Array, provenance: Provenance, { buildId }: PutFacts) => {
    const opened = await btfs.open({ bytes }, { names: [reference.release] })
    if (opened === undefined) throw new AppError('internal_error', 'An upload counts as missing.')
    const { btf, modules } = opened
    await Promise.all([btf, ...modules.map(module => module.btf)].map(content => btfs.keep(content, 'upload')))
    // Whoever asks for the name is told of what cannot be read.
    if (index.get(reference, btf.sha256) === undefined) await index.learnRows(reference).catch(() => {})
    const held = index.get(reference, btf.sha256)
    const now = new Date().toISOString()
    const row: KernelRecord = {
      reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      ...(buildId === undefined ? {} : { buildId }),
      source: UPLOAD_SOURCE,
      provenance,
      firstSeen: held?.firstSeen ?? now,
      lastUsed: held?.lastUsed ?? now,
      modules: modules.map(module => ({
        name: module.name,
        btfSha256: module.btf.sha256,
        bytes: module.btf.parts.byteLength,
        source: UPLOAD_SOURCE,
        provenance
      }))
    }
    await index.add(row)
    return answerOf(row, btf.sha256, held === undefined)
  }

  /** The row whose content a module that is handed in extends. */
  const baseRecord = async (reference: KernelReference, base: Sha256 | undefined): Promise<KernelRecord> => {
    if (base === undefined) return await obtainRecord(reference)
    if (index.get(reference, base) === undefined) await index.learn(reference)
    const record = index.get(reference, base) ?? index.byBtf(base)
      .find(held => held.reference.release === reference.release && matchesName(reference, held.reference))
    if (record !== undefined) return record
    throw new AppError('btf_unknown', `Kernel ${formatReference(reference)} is not held with BTF ${base}; PUT that first.`,
      { kernel: formatReference(reference), btf_sha256: base })
  }

  const putModule = async (given: KernelReference, name: string, bytes: Uint8Array, provenance: Provenance, facts: PutFacts) => {
    const { reference, btfSha256 } = await baseRecord(given, facts.extends)
    const base = await btfs.load(btfSha256)
    const btf = await btfs.prepare({ bytes }, base)
    await btfs.keep(btf, 'upload')
    const record = index.get(reference, btfSha256)
    if (record === undefined) {
      throw new AppError('btf_conflict',
        `The BTF of ${formatReference(reference)} changed while that of its module ${name} was read; try again.`)
    }
    const module: ModuleRecord = { name, btfSha256: btf.sha256, bytes: btf.parts.byteLength, source: UPLOAD_SOURCE, provenance }
    const created = !record.modules.some(held => keyOfModule(held) === keyOfModule(module))
    if (created && trustUploads) requireRoom(record)
    const row = { ...record, modules: [module] }
    await index.add(row)
    return answerOf(row, btf.sha256, created)
  }

  /** Other uploads may have taken the room of this one already, and with it its row. */
  const answerOf = (row: KernelRecord, btfSha256: Sha256, created: boolean) =>
    ({ created, entry: toEntry(index.get(row.reference, row.btfSha256) ?? row, catalog.kernels()), btfSha256 })

  /** What answers for a module's name; else what was uploaded, as with kernels. */
  const findModule = (record: KernelRecord, name: string): ModuleRecord | undefined => {
    for (const trusts of trustUploads ? [true] : [false, true]) {
      if (!hasModules(record, [name], trusts)) continue
      const kernel = { name: formatReference(record.reference), btfSha256: record.btfSha256, records: [record] } as const
      return resolveModules(kernel, [name], { trustUploads: trusts })[0]
    }
    return undefined
  }

  return {
    async list (filter) {
      if (filter.release !== undefined && !index.isCurrent({ release: filter.release })) await index.learn({ release: filter.release })
      const { kernels, nextCursor } = listKernels(index, catalog.kernels(), filter)
      return { kernels: kernels.map(entry => ({ ...entry, published: publishedOf(entry.reference) })), nextCursor }
    },
    async get (given, { via = [], caller, waitMs = 0, isAhead = false, ...build } = {}) {
      const reference = toReference(given)
      const record = await obtainRecord({ ...reference, ...build }, { via, caller, waitMs, isAhead })
      fetching.refresh([record])
      return { ...toEntry({ ...record, reference }, catalog.kernels()), published: publishedOf(reference) }
    },
    async load (given, { via = [], caller, waitMs = 0, isAhead = false, ...build } = {}) {
      const { record, base } = await loadVmlinux({ ...toReference(given), ...build }, { via, caller, waitMs, isAhead })
      index.touch(record)
      btfs.noteUse([base.sha256])
      fetching.refresh([record])
      return { btf: base, source: record.source }
    },
    async getBtf (given, module, { via = [], caller, waitMs = 0, isAhead = false, ...build } = {}) {
      const reference = toReference(given)
      const { record, base } = await loadVmlinux({ ...reference, ...build }, { via, caller, waitMs, isAhead })
      index.touch(record)
      btfs.noteUse([base.sha256])
      fetching.refresh([record])
      const known = knownBuild(record, trustUploads)
      if (module === undefined) return { bytes: rawBytes(base), sha256: base.sha256, source: record.source, ...known }
      if (!hasModules(record, [module], trustUploads)) await fetching.obtainModules([record], [module], caller, waitMs)
      const held = findModule(index.get(record.reference, record.btfSha256) ?? record, module)
      if (held === undefined) {
        throw new AppError('btf_unknown', `No BTF is held for module ${module} of kernel ${formatReference(reference)}.`,
          { kernel: formatReference(reference), module })
      }
      const split = await btfs.load(held.btfSha256, base)
      return { bytes: rawBytes(split), sha256: split.sha256, source: sourceOfBoth(record, held), base: base.sha256, ...known }
    },
    async putBtf (given, bytes, provenance, module, facts = {}) {
      const reference = toReference(given)
      if (module === undefined) return await putVmlinux(reference, bytes, provenance, facts)
      if (!isSegment(module) || module === 'vmlinux') {
        throw new AppError('invalid_request',
          "A module's name is 1 to 128 of the characters A-Z a-z 0-9 . _ + ~ - and not vmlinux.",
          { field: 'module' })
      }
      return await putModule(reference, module, bytes, provenance, facts)
    }
  }
}

/** What is known of a row's build: nothing where those who may answer for it name several. */
function knownBuild (record: KernelRecord, trustUploads: boolean): WantedBuild {
  const builds = buildsOf(record).filter(build => build.source === record.source || answersForName(build, trustUploads))
  const [kernelVersion, ...versions] = new Set(builds.flatMap(build => build.kernelVersion ?? []))
  const [buildId, ...ids] = new Set(builds.flatMap(build => build.buildId ?? []))
  return {
    ...(kernelVersion === undefined || versions.length > 0 ? {} : { kernelVersion }),
    ...(buildId === undefined || ids.length > 0 ? {} : { buildId })
  }
}

/** A module is no better known than the kernel that it extends. */
function sourceOfBoth (record: KernelRecord, module: ModuleRecord): string {
  return record.source === UPLOAD_SOURCE ? UPLOAD_SOURCE : module.source
}

/** Where uploads answer for names, none makes room for another: two that disagree must not become one that answers. */
function requireRoom ({ reference, modules }: KernelRecord): void {
  if (modules.filter(({ source }) => source === UPLOAD_SOURCE).length < MAX_UPLOADED_MODULES) return
  throw new AppError('too_large',
    `At most ${MAX_UPLOADED_MODULES} uploaded modules are listed for kernel ${formatReference(reference)}; ` +
    'import further ones with corelo btf import.',
    { limit: MAX_UPLOADED_MODULES })
}

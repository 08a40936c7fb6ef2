import type { Btf } from '../btf/btf.js'
import { relocateDistilledBase } from '../btf/distilled-base.js'
import { indexTailBytes } from '../btf/index-file.js'
import { attachBtf, parseBtfParts, parseRawBtf, type BtfParts } from '../btf/parse.js'
import { AppError } from '../errors.js'
import type { Evidence } from '../identity/evidence.js'
import type { Found, FoundModule, FoundResult } from '../formats/found.js'
import { identify } from './identify.js'
import { kernelOfModule, type NamedKernel } from './kernel-of-module.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import { sha256, type Sha256 } from '../store/sha256.js'

/** BTF of a kernel that has been read, validated and named. */
export interface NamedKernelBtf {
  readonly reference: KernelReference
  /** `uname -v`, where the image said it. */
  readonly kernelVersion: string | undefined
  /** The kernel's GNU build-id in lower-case hex, where the image has one. */
  readonly buildId?: string | undefined
  readonly btf: Uint8Array
  readonly sha256: Sha256
  readonly types: number
}

export interface NamedModuleBtf {
  readonly name: string
  readonly btf: Uint8Array
  readonly sha256: Sha256
}

/**
 * `held`: the same bytes were there already. `approved`: they had been uploaded, and answer for their name from now on. `replaced`:
 * others were there (see KernelSink).
 */
export type Stored = 'new' | 'held' | 'approved' | 'replaced'

/** Where imported BTF goes: the cache, or a service. */
export interface KernelSink {
  /** @throws AppError `btf_conflict` where other bytes are held that may not be replaced */
  putKernel(kernel: NamedKernelBtf): Promise<Stored>
  /**
   * Keeps what is made of a kernel that was put. Undefined where its BTF goes elsewhere.
   *
   * @param parts whose index has room behind it for the rest of its file (indexTailBytes)
   */
  keepBeside?(hash: Sha256, parts: BtfParts): Promise<void>
  /** @throws AppError `btf_conflict` */
  putModule(kernel: KernelReference, module: NamedModuleBtf): Promise<Stored>
  /** BTF that is held for a kernel which was not among what is imported. */
  getKernel(reference: KernelReference): Promise<Uint8Array | undefined>
  /** The kernels of a release that are held. */
  findKernels(release: string): Promise<readonly NamedKernel[]>
  /** Makes what was put lasting: called when a file has been read. */
  flush(): Promise<void>
}

/** What became of a kernel. */
export interface ImportedKernel {
  readonly reference: KernelReference
  /** Undefined where only modules came, for a kernel that was held. */
  readonly kernel: {
    readonly sha256: Sha256
    readonly bytes: number
    readonly types: number
    readonly state: Stored
    readonly place: string
  } | undefined
  readonly modules: { readonly new: number, readonly held: number, readonly bytes: number }
}

/** What was not imported. */
export interface NotImported {
  readonly place: string
  readonly reason: string
  /** How many files of the same package have the same reason. The place is that of the first. */
  readonly count: number
}

export interface ImportReport {
  readonly kernels: readonly ImportedKernel[]
  /** Files of relocated objects that were written. */
  readonly results: readonly string[]
  readonly notImported: readonly NotImported[]
}

export interface KernelImportOptions {
  readonly sink: KernelSink
  /** What the operator says of every kernel: counts over what files say. */
  readonly given: Evidence
  /** Which modules to take. Undefined: all. */
  readonly modules?: ReadonlySet<string> | undefined
  /** Makes BTF of DWARF, where the machine has what it takes. @throws AppError whose sentence says what is missing */
  encodeDwarf(image: Uint8Array): Promise<Uint8Array>
  /** Keeps a relocated object of a bundle, and says where. Undefined: there is no place for them. */
  readonly saveResult?: ((result: FoundResult) => Promise<string>) | undefined
}

/** One run of an import. Finds come in any order: modules whose kernel has not come yet wait for it. */
export interface KernelImport {
  add(found: Found): Promise<void>
  /** A file has been read to its end. */
  endOfFile(): Promise<void>
  /** Gives up on what still waits, and tells what became of everything. */
  finish(): Promise<ImportReport>
}

/** Split BTF that may wait for its kernel, in bytes. All modules of a distribution's kernel together have 20 to 40 MB. */
const MAX_WAITING_BYTES = 512 * 1024 * 1024

interface Base {
  readonly btf: Btf
  readonly sha256: Sha256
}

export function createKernelImport ({ sink, given, modules: wantedModules, encodeDwarf, saveResult }: KernelImportOptions): KernelImport {
  const kernels = new Map<string, ImportedKernel>()
  const results: string[] = []
  const failures = new Map<string, NotImported>()
  const waiting = new Map<string, FoundModule[]>()
  /** Modules whose package does not say all of their kernel's name, with what it lacks. */
  let nameless: Array<{ readonly module: FoundModule, readonly reason: string }> = []
  let waitingBytes = 0
  /** The kernels in the file that is being read: modules beside a kernel of their release are its own. */
  const ofFile = new Map<string, KernelReference | undefined>()
  // Of one kernel at a time: a package brings its kernel first and then some thousand modules.
  let base: { readonly key: string, readonly value: Base } | undefined

  const fail = (place: string, reason: string): void => {
    const group = `${place.split(': ', 1)[0]}\n${reason}`
    const known = failures.get(group)
    failures.set(group, known === undefined ? { place, reason, count: 1 } : { ...known, count: known.count + 1 })
  }
  const attempt = async (place: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      fail(place, error.message)
    }
  }

  const addKernel = async (place: string, bytes: Uint8Array, evidence: Evidence): Promise<void> => {
    const identified = identify(evidence, given)
    if ('reason' in identified) return fail(place, identified.reason)
    const { reference, kernelVersion, buildId } = identified
    const beside = ofFile.get(reference.release) ?? reference
    ofFile.set(reference.release, formatReference(beside) === formatReference(reference) ? reference : undefined)
    const parts = parseBtfParts(bytes, { allocate: byteLength => new ArrayBuffer(byteLength + indexTailBytes(bytes.length, byteLength)) })
    const btf = attachBtf(parts, undefined)
    const types = btf.endId - btf.startId
    const hash = sha256(bytes)
    const state = await sink.putKernel({ reference, kernelVersion, buildId, btf: bytes, sha256: hash, types })
    await sink.keepBeside?.(hash, parts)
    const key = formatReference(reference)
    const known = kernels.get(key)
    // Met once more in the same run it is held, which says nothing of what became of it.
    kernels.set(key, {
      reference,
      kernel: known?.kernel?.sha256 === hash ? known.kernel : { sha256: hash, bytes: bytes.length, types, state, place },
      modules: known?.modules ?? NO_MODULES
    })
    base = { key, value: { btf, sha256: hash } }
    const late = waiting.get(key) ?? []
    waiting.delete(key)
    for (const module of late) {
      waitingBytes -= module.btf.length
      await attempt(module.place, () => storeModule(reference, module, { btf, sha256: hash }))
    }
  }

  const storeModule = async (reference: KernelReference, module: FoundModule, { btf: base }: Base): Promise<void> => {
    const bytes = module.distilledBase === undefined ? module.btf : relocateDistilledBase(module.btf, module.distilledBase, base)
    parseRawBtf(bytes, { base, indexNames: false })
    const state = await sink.putModule(reference, { name: module.name, btf: bytes, sha256: sha256(bytes) })
    const key = formatReference(reference)
    const known = kernels.get(key) ?? { reference, kernel: undefined, modules: NO_MODULES }
    const { modules } = known
    kernels.set(key, {
      ...known,
      modules: {
        new: modules.new + (state === 'held' ? 0 : 1),
        held: modules.held + (state === 'held' ? 1 : 0),
        bytes: modules.bytes + bytes.length
      }
    })
  }

  const addModule = async (module: FoundModule): Promise<void> => {
    if (wantedModules !== undefined && !wantedModules.has(module.name)) return
    const identified = identify(module.evidence, given)
    const reference = 'reason' in identified ? ofFile.get(module.evidence.release ?? '') : identified.reference
    const key = reference === undefined ? undefined : formatReference(reference)
    if (reference !== undefined && base !== undefined && base.key === key) return await storeModule(reference, module, base.value)
    if (waitingBytes + module.btf.length > MAX_WAITING_BYTES) {
      return fail(module.place,
        `More than ${MAX_WAITING_BYTES} bytes of modules wait for their kernels; give the kernel's image before its modules.`)
    }
    waitingBytes += module.btf.length
    if (key !== undefined) wait(key, module)
    else if ('reason' in identified) nameless.push({ module, reason: identified.reason })
  }

  const wait = (key: string, module: FoundModule): void => {
    const list = waiting.get(key)
    if (list === undefined) waiting.set(key, [module])
    else list.push(module)
  }

  /** Names modules by a kernel that came with them or that is held. */
  const resolveNameless = async (isLast: boolean): Promise<void> => {
    const left: typeof nameless = []
    const held = new Map<string, readonly NamedKernel[]>()
    const heldOf = async (release: string): Promise<readonly NamedKernel[]> => {
      const kernels = held.get(release) ?? await sink.findKernels(release)
      held.set(release, kernels)
      return kernels
    }
    for (const { module, reason } of nameless) {
      const { release } = module.evidence
      const reference = ofFile.get(release ?? '') ??
        (release === undefined || !isLast ? undefined : kernelOfModule(module.evidence, await heldOf(release)))
      if (reference !== undefined) {
        wait(formatReference(reference), { ...module, evidence: { ...module.evidence, ...reference } })
      } else if (isLast) {
        waitingBytes -= module.btf.length
        fail(module.place, `${reason} Or import the kernel's own package before this one, from the same build.`)
      } else {
        left.push({ module, reason })
      }
    }
    nameless = left
  }

  const addResult = async (result: FoundResult): Promise<void> => {
    if (saveResult === undefined) return fail(result.place, 'The bundle has relocated objects; --results DIR says where they go.')
    results.push(await saveResult(result))
  }

  /** Modules whose kernel was imported before, now or at another time. */
  const resolveWaiting = async (isLast: boolean): Promise<void> => {
    for (const [key, modules] of [...waiting]) {
      const [first] = modules
      const identified = first === undefined ? undefined : identify(first.evidence, given)
      if (identified === undefined || 'reason' in identified) continue
      const held = await sink.getKernel(identified.reference)
      if (held === undefined && !isLast) continue
      waiting.delete(key)
      for (const module of modules) waitingBytes -= module.btf.length
      if (held === undefined) {
        for (const module of modules) {
          fail(module.place, `The BTF of kernel ${key} itself, which that of its modules extends, ` +
            'is neither held nor among what was given; import its image too.')
        }
        continue
      }
      const btf = parseRawBtf(held)
      for (const module of modules) {
        await attempt(module.place, () => storeModule(identified.reference, module, { btf, sha256: sha256(held) }))
      }
    }
  }

  return {
    async add (found) {
      await attempt(found.place, async () => {
        switch (found.kind) {
          case 'vmlinux': return await addKernel(found.place, found.btf, found.evidence)
          case 'module': return await addModule(found)
          case 'dwarf': return await addKernel(found.place, await encodeDwarf(found.image), found.evidence)
          case 'result': return await addResult(found)
          case 'unread': return fail(found.place, found.reason)
          default: return found satisfies never
        }
      })
    },
    async endOfFile () {
      await resolveNameless(false)
      await resolveWaiting(false)
      await sink.flush()
      ofFile.clear()
    },
    async finish () {
      await resolveNameless(true)
      await resolveWaiting(true)
      await sink.flush()
      return { kernels: [...kernels.values()], results, notImported: [...failures.values()] }
    }
  }
}

const NO_MODULES = { new: 0, held: 0, bytes: 0 } as const

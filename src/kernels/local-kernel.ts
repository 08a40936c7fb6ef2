import { join } from 'node:path'
import { rawBytes, type SharedBtf } from '../store/btf-memory.js'
import type { KernelIndex } from './kernel-index.js'
import { LOCAL_SOURCE, recordKey, UPLOAD_SOURCE, type KernelRecord, type ModuleRecord, type RecordName } from './kernel-record.js'
import { formatReference } from '../identity/reference.js'
import type { LocalFiles } from './local-files.js'
import type { SourceAnswer } from './unknown-kernel.js'
import { findRunningKernel, KERNEL_BTF_DIR, listRunningModules } from '../identity/running-kernel.js'
import type { BtfAccess } from './btf-access.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'

export interface LocalKernelOptions {
  readonly settings: ServiceSettings
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  /** Told of each file that is read. */
  readonly files: LocalFiles
  readonly warn: Warn
}

/** The source that is the running kernel: what it shows of its own BTF is believed for its name. */
export interface LocalKernel {
  /** Reads and indexes vmlinux. Never rejects: a service without a kernel of its own is a service. */
  start(): Promise<void>
  /** Reads the modules that have been loaded since, and indexes them. */
  refreshModules(): Promise<void>
  /** Whether the record is that of the running kernel. */
  owns(record: KernelRecord): boolean
  /** What it has to say to who looks for another kernel. */
  answer(): SourceAnswer
  close(): Promise<void>
}

export function createLocalKernel ({ settings, index, btfs, files, warn }: LocalKernelOptions): LocalKernel {
  const kernelBtfDir = settings.kernelBtfDir ?? KERNEL_BTF_DIR
  let kernel: RecordName | undefined
  let answer = 'the running kernel is not offered (CORELO_LOCAL_KERNEL)'
  let modules: Promise<void> = Promise.resolve()
  let isClosed = false

  const readVmlinux = async (): Promise<void> => {
    const found = await findRunningKernel({ kernelBtfDir, hostRoot: settings.hostRoot })
    if (found === undefined) {
      answer = `the running kernel shows no BTF in ${kernelBtfDir}`
      return
    }
    if (found.reference === undefined) {
      answer = `the running kernel cannot be named: ${found.problem ?? ''}`
      warn('The running kernel is not offered, because nothing tells which distribution it belongs to.', { problem: found.problem })
      return
    }
    const reference = formatReference(found.reference)
    answer = `the running kernel is ${reference}`
    const btf = await btfs.prepare({ path: found.btfPath })
    files.add(btf.sha256, found.btfPath)
    await btfs.keep(btf, 'kept')
    const others = index.named(found.reference).filter(held => held.btfSha256 !== btf.sha256 && held.source !== UPLOAD_SOURCE)
    if (others.length > 0) {
      warn('Other BTF is held for the name of the running kernel; the name answers only with the kernel_version of a build.',
        { kernel: reference, held: others.map(held => `${held.btfSha256} (${held.source})`).join(', '), actual: btf.sha256 })
    }
    const now = new Date().toISOString()
    await index.add({
      reference: found.reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      ...(found.buildId === undefined ? {} : { buildId: found.buildId }),
      source: LOCAL_SOURCE,
      provenance: { by: found.btfPath, at: now, kernelVersion: found.kernelVersion },
      firstSeen: now,
      lastUsed: now,
      modules: []
    })
    kernel = { reference: found.reference, btfSha256: btf.sha256 }
  }

  const readModule = async (name: string, base: SharedBtf): Promise<Omit<ModuleRecord, 'loadOrder'> | undefined> => {
    const path = join(kernelBtfDir, name)
    try {
      const btf = await btfs.prepare({ path }, base)
      files.add(btf.sha256, path)
      await btfs.keep(btf, 'kept')
      return {
        name,
        btfSha256: btf.sha256,
        bytes: rawBytes(btf).length,
        source: LOCAL_SOURCE,
        provenance: { by: path, at: new Date().toISOString() }
      }
    } catch (error) {
      warn('The BTF of a loaded module cannot be used.', { module: name, error: String(error) })
      return undefined
    }
  }

  /** Modules come and go, so that the list is made anew; those that are gone keep their place at the end, for other nodes. */
  const readModules = async (skipKnown: boolean): Promise<void> => {
    const record = kernel === undefined ? undefined : index.get(kernel.reference, kernel.btfSha256)
    if (record === undefined || isClosed) return
    const running = await listRunningModules(kernelBtfDir)
    if (running.length === 0) return
    const base = await btfs.load(record.btfSha256)
    const listed: ModuleRecord[] = []
    for (const { name, loadOrder } of running) {
      if (isClosed) return
      const known = record.modules.find(module => module.name === name && module.source === LOCAL_SOURCE)
      const read = skipKnown && known !== undefined ? known : await readModule(name, base)
      if (read === undefined) continue
      const { btfSha256, bytes, source, provenance } = read
      listed.push({ name, btfSha256, bytes, source, provenance, ...(loadOrder === undefined ? {} : { loadOrder }) })
    }
    const current = index.get(record.reference, record.btfSha256)
    if (current === undefined || isClosed) return
    const isListed = (module: ModuleRecord): boolean => listed.some(({ name, btfSha256 }) => name === module.name &&
      (btfSha256 === module.btfSha256 || module.source === LOCAL_SOURCE))
    const gone = current.modules.filter(module => !isListed(module)).map(({ loadOrder: _, ...module }) => module)
    await index.put({ ...current, modules: [...listed, ...gone] })
  }

  /** One reading of the modules at a time, each seeing what the one before it wrote. */
  const queueModules = (skipKnown: boolean): Promise<void> => {
    modules = modules.then(() => readModules(skipKnown)).catch((error: unknown) => {
      if (!isClosed) warn('The BTF of the loaded modules cannot be read.', { error: String(error) })
    })
    return modules
  }

  return {
    async start () {
      if (!settings.localKernel) return
      try {
        await readVmlinux()
      } catch (error) {
        answer = "the running kernel's BTF cannot be used; the service log has the reason"
        warn("The running kernel's BTF cannot be used.", { error: String(error) })
        return
      }
      queueModules(false).catch(() => {}) // it warns by itself
    },
    refreshModules: () => queueModules(true),
    owns: record => kernel !== undefined && recordKey(record) === recordKey(kernel),
    answer: () => ({ source: LOCAL_SOURCE, answer }),
    async close () {
      isClosed = true
      await modules
    }
  }
}

import { applyPatches, parseBtf, parseObject, relocate } from '../core/index.js'
import { judgeRelocation } from '../report/index.js'
import { AppError } from '../errors.js'
import type { BundledKernel, BundledResult, Manifest } from './bundle/manifest.js'
import { packKernel, writeBundle, type BundleFile } from './bundle/write-bundle.js'
import type { ContentStore } from '../store/content-store.js'
import type { KernelRecord } from '../kernels/kernel-record.js'
import { formatReference } from '../identity/reference.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { ENGINE } from '../relocation/engine.js'

/** An object to relocate for every kernel of a bundle. */
export interface ExportObject {
  /** Of its file. */
  readonly name: string
  readonly bytes: Uint8Array
}

export interface ExportOptions {
  readonly path: string
  readonly records: readonly KernelRecord[]
  readonly store: ContentStore
  readonly withModules: boolean
  /** Undefined: the bundle has the kernels' BTF. Otherwise it has these as relocated for each kernel instead. */
  readonly objects?: readonly ExportObject[] | undefined
  readonly onProgress?: (text: string) => void
}

export interface ExportReport {
  readonly kernels: number
  readonly modules: number
  readonly results: readonly BundledResult[]
  /** Kernels and objects that have no result, with the reason. */
  readonly failures: ReadonlyArray<{ readonly reference: string, readonly object: string, readonly reason: string }>
}

/**
 * Writes a bundle: BTF of kernels in BTFHub's layout, or objects relocated for them, with a manifest of every hash.
 *
 * @throws AppError `btf_unknown` where a kernel is listed whose BTF is not held any more
 */
export async function exportBundle (options: ExportOptions): Promise<ExportReport> {
  const base = { created: new Date().toISOString(), engine: `${ENGINE.name} ${ENGINE.version}` }
  if (options.objects !== undefined) return await exportResults(options, options.objects, base)
  const kernels = options.records.map(record => toBundledKernel(record, options.withModules))
  const files = options.records.map((record, i): BundleFile => {
    const kernel = kernels[i] ?? toBundledKernel(record, options.withModules)
    return {
      path: kernel.path,
      async content () {
        options.onProgress?.(`${i + 1} of ${kernels.length}: ${kernel.reference}`)
        return await kernelFile(kernel, record, options.store)
      }
    }
  })
  await writeBundle(options.path, { ...base, kernels, results: [] }, files)
  return { kernels: kernels.length, modules: kernels.reduce((sum, { modules }) => sum + modules.length, 0), results: [], failures: [] }
}

function toBundledKernel ({ reference, provenance, btfSha256, modules }: KernelRecord, withModules: boolean): BundledKernel {
  return {
    reference: formatReference(reference),
    kernel_version: provenance.kernelVersion ?? null,
    path: `${formatReference(reference)}.btf.tar.xz`,
    btf_sha256: btfSha256,
    modules: withModules ? modules.map(module => ({ name: module.name, btf_sha256: module.btfSha256 })) : []
  }
}

async function kernelFile (kernel: BundledKernel, { reference }: KernelRecord, store: ContentStore): Promise<Uint8Array> {
  const vmlinux = await requireBtf(store, kernel.btf_sha256, kernel.reference)
  if (kernel.modules.length === 0) return await packKernel([{ name: `${reference.release}.btf`, bytes: vmlinux }])
  const files = [{ name: 'vmlinux', bytes: vmlinux }]
  for (const { name, btf_sha256: hash } of kernel.modules) {
    files.push({ name, bytes: await requireBtf(store, hash, `module ${name} of ${kernel.reference}`) })
  }
  return await packKernel(files)
}

async function exportResults (
  { path, records, store, withModules, onProgress }: ExportOptions,
  objects: readonly ExportObject[],
  base: Pick<Manifest, 'created' | 'engine'>
): Promise<ExportReport> {
  const results: BundledResult[] = []
  const failures: Array<ExportReport['failures'][number]> = []
  const files: BundleFile[] = []
  const parsed = objects.map(({ name, bytes }) => ({ name, object: parseObject(bytes), sha256: sha256(bytes) }))
  for (const [i, record] of records.entries()) {
    const reference = formatReference(record.reference)
    onProgress?.(`${i + 1} of ${records.length}: ${reference}`)
    const vmlinux = parseBtf(await requireBtf(store, record.btfSha256, reference))
    const modules = []
    for (const module of withModules ? record.modules : []) {
      const bytes = await requireBtf(store, module.btfSha256, `module ${module.name} of ${reference}`)
      modules.push(parseBtf(bytes, { base: vmlinux }))
    }
    for (const { name, object, sha256: objectHash } of parsed) {
      const relocation = relocate(object, vmlinux, { modules })
      const { patches } = relocation
      if (patches === undefined) {
        failures.push({
          reference,
          object: name,
          reason: `libbpf would refuse ${relocation.counts.failed} of its relocations for this kernel`
        })
        continue
      }
      const result = {
        reference,
        object: name,
        object_sha256: objectHash,
        btf_sha256: record.btfSha256,
        path: `results/${name}/${reference}.bpf.o`,
        sha256: sha256(applyPatches(object.bytes, patches)),
        verdict: judgeRelocation(object, relocation, { kernelRelease: record.reference.release }).verdict
      }
      results.push(result)
      files.push({ path: result.path, content: async () => applyPatches(object.bytes, patches) })
    }
  }
  await writeBundle(path, { ...base, kernels: [], results }, files)
  return { kernels: records.length, modules: 0, results, failures }
}

async function requireBtf (store: ContentStore, hash: Sha256, what: string): Promise<Uint8Array> {
  const bytes = await store.read('btf', hash)
  if (bytes === undefined) {
    throw new AppError('btf_unknown',
      `The cache lists ${what}, but does not hold its BTF (any more); fetch or import it again, or leave it out.`,
      { btf_sha256: hash })
  }
  return bytes
}

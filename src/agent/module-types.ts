import { readFile } from 'node:fs/promises'
import type { Btf } from '../btf/btf.js'
import { hasCandidate } from '../btf/lookup.js'
import { parseRawBtf } from '../btf/parse.js'
import type { Report, ReportRelocation } from '../wire/report.js'
import { AppError } from '../errors.js'
import type { RunningModule } from '../identity/running-kernel.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import type { NodeKernel } from './node.js'

/** A loaded module whose BTF is to be consulted. */
export interface ModuleBtf {
  readonly name: string
  readonly path: string
  readonly sha256: Sha256
}

/** What the loaded modules have to say to one object, as libbpf would ask them on this node. */
export interface Consultation {
  /** Types that the object asks for and vmlinux lacks, whoever may have them. */
  readonly lacking: readonly string[]
  /** The modules that have one of them, in the order of their BTF ids. */
  readonly modules: readonly ModuleBtf[]
}

/** Finds loaded modules by the types that they have. */
export interface ModuleTypes {
  /**
   * libbpf looks for a type in vmlinux, and only where that has none of the name in all loaded modules. Those without a candidate
   * change nothing, so that they need not be asked.
   *
   * @param types as reports write them; those that vmlinux has are left out
   */
  consult(kernel: NodeKernel, types: readonly string[]): Promise<Consultation>
}

/** Distinct types that one object can have unresolved. Larger lists are none of real objects. */
const MAX_TYPES = 4096
/** Answers that are kept: objects of a node, and a few times that. */
const MAX_KEPT = 1024

export const NOTHING_LACKING: Consultation = { lacking: [], modules: [] }

/**
 * @param onUnreadable told of a loaded module whose BTF cannot be read; it is passed over, as libbpf would fail for it only where it is
 * needed
 */
export function createModuleTypes (onUnreadable: (module: string, error: AppError) => void): ModuleTypes {
  const kept = new Map<string, Consultation>()

  const look = async (
    btf: NonNullable<NodeKernel['btf']>,
    modules: readonly RunningModule[],
    types: readonly string[]
  ): Promise<Consultation> => {
    const vmlinux = parseRawBtf(await readFile(btf.path))
    const lacking = types.filter(type => !hasCandidate(vmlinux, type))
    if (lacking.length === 0) return NOTHING_LACKING
    const found: ModuleBtf[] = []
    for (const { name, btfPath: path } of modules) {
      const bytes = await readFile(path).catch(() => undefined) // it may have been unloaded since
      const split = bytes === undefined ? undefined : parseModule(bytes, vmlinux, name)
      if (bytes !== undefined && split !== undefined && lacking.some(type => hasCandidate(split, type))) {
        found.push({ name, path, sha256: sha256(bytes) })
      }
    }
    return { lacking, modules: found }
  }

  const parseModule = (bytes: Uint8Array, base: Btf, name: string): Btf | undefined => {
    try {
      return parseRawBtf(bytes, { base })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      onUnreadable(name, error)
      return undefined
    }
  }

  return {
    async consult (kernel, types) {
      const { btf, modules } = kernel
      const wanted = [...new Set(types)].sort().slice(0, MAX_TYPES)
      if (btf === undefined || wanted.length === 0) return NOTHING_LACKING
      const key = [kernel.key, kernel.modulesStamp, ...wanted].join('\n')
      const known = kept.get(key)
      if (known !== undefined) return known
      const [oldest] = kept.keys()
      if (kept.size >= MAX_KEPT && oldest !== undefined) kept.delete(oldest)
      const found = await look(btf, modules, wanted)
      kept.set(key, found)
      return found
    }
  }
}

/** Whether each of these modules is loaded with that very BTF, or not loaded: one that was built anew has other offsets. */
export async function isSameWhereLoaded (
  { modules }: NodeKernel,
  consulted: ReadonlyArray<Pick<ModuleBtf, 'name' | 'sha256'>>
): Promise<boolean> {
  for (const { name, sha256: expected } of consulted) {
    const loaded = modules.find(module => module.name === name)
    const bytes = loaded === undefined ? undefined : await readFile(loaded.btfPath).catch(() => undefined)
    if (bytes !== undefined && sha256(bytes) !== expected) return false
  }
  return true
}

/** Root types of relocations that found no value: among them are those that vmlinux lacks. */
export function unresolvedTypes ({ relocations }: Pick<Report, 'relocations'>): string[] {
  return [...new Set(relocations.filter(isUnresolved).map(({ type }) => type))]
}

function isUnresolved ({ status }: ReportRelocation): boolean { return status !== 'resolved' }

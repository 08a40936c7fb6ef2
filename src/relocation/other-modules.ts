import type { BtfAccess } from '../kernels/btf-access.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import type { ModuleRecord } from '../kernels/kernel-record.js'
import type { SharedBtf } from '../store/btf-memory.js'
import { mapInTurn } from '../workers/in-turn.js'
import type { OtherModule } from '../workers/protocol.js'
import type { Target } from './targets.js'

/** Modules that are looked into for the types of one object. Each takes about a millisecond of a worker. */
const MAX_MODULES = 64

export interface OtherModulesPlaces {
  readonly index: Pick<KernelIndex, 'get'>
  readonly btfs: Pick<BtfAccess, 'loadHere'>
}

/** Modules of a kernel that its object is not relocated with, and that may have types which the kernel lacks: those whose BTF is here. */
export async function loadOtherModules (
  { index, btfs }: OtherModulesPlaces, base: SharedBtf, { records, modules }: Target, types: readonly string[]
): Promise<OtherModule[]> {
  if (types.length === 0) return []
  const rows = records.flatMap(({ reference, btfSha256 }) => index.get(reference, btfSha256)?.modules ?? [])
  const others = likeliestModules(rows.filter(({ btfSha256 }) => !modules.includes(btfSha256)), types)
  const found = await mapInTurn(others, async ({ name, btfSha256 }) =>
    ({ name, btf: await btfs.loadHere(btfSha256, base).catch(() => undefined) }))
  return found.flatMap(({ name, btf }) => btf === undefined ? [] : [{ name, btf }])
}

/**
 * The modules of a kernel that most likely have one of the types, each name once: a distribution's kernel has thousands of modules, whose
 * types mostly begin as they do (`struct nfs_inode` of `nfs`).
 *
 * @param types as reports write them: `struct nfs_inode`
 */
export function likeliestModules (modules: readonly ModuleRecord[], types: readonly string[]): ModuleRecord[] {
  const words = types.map(type => type.replace(/^(struct|union|enum) /, ''))
  const byName = new Map(modules.map(module => [module.name, module]))
  const ranked = [...byName.values()]
    .map(module => ({ module, length: Math.max(0, ...words.map(word => commonLength(word, module.name))) }))
  return ranked.sort((a, b) => b.length - a.length).slice(0, MAX_MODULES).map(({ module }) => module)
}

function commonLength (a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

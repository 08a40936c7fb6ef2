import type { ModuleRecord } from '../kernels/kernel-record.js'

/** Modules that are looked into for the types of one object. Each takes about a millisecond of a worker. */
const MAX_MODULES = 64

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

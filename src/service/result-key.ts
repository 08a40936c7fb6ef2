import { sha256, type Sha256 } from '../kernels/sha256.js'
import { ENGINE } from './engine.js'

export interface ResultIngredients {
  readonly object: Sha256
  /** vmlinux BTF. */
  readonly btf: Sha256
  /** BTFs of modules, in the order in which they are consulted. The order can show in the result. */
  readonly modules: readonly Sha256[]
}

/**
 * What a result is stored under: a hash of everything that it follows from. Each part has its length before it, so that no two
 * lists of parts read alike.
 */
export function resultKey ({ object, btf, modules }: ResultIngredients): Sha256 {
  let text = ''
  for (const part of [ENGINE.name, ENGINE.version, ENGINE.semantics, object, btf, ...modules]) text += `${part.length}:${part}`
  return sha256(text)
}

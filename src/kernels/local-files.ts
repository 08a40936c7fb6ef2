import type { Sha256 } from '../store/sha256.js'

/** Files of the running kernel, by the content that they had when they were read. */
export interface LocalFiles {
  add(hash: Sha256, path: string): void
  /** Files that may still have the content. */
  pathsOf(hash: Sha256): readonly string[]
}

/** Sized by the running kernel: its BTF, and that of each module that was loaded while the process ran. */
export function createLocalFiles (): LocalFiles {
  const paths = new Map<Sha256, string>()
  return {
    add (hash, path) { paths.set(hash, path) },
    pathsOf: hash => [paths.get(hash) ?? []].flat()
  }
}

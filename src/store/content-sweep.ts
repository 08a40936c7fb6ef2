import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { FoundFile } from './disk-ledger.js'
import { isSha256 } from './sha256.js'

export interface ContentSweepOptions {
  /** The folders whose subfolders hold content, by the name that goes before the hash in a key. */
  readonly roots: ReadonlyMap<string, string>
  /** How old a temporary file must be to count as left over by a killed process. */
  readonly orphanAgeMs: number
  /** Between two walks. */
  readonly intervalMs: number
  /** Told of each walk that was finished: what it saw, as `<kind> <hash>`, and when it began. */
  readonly onWalked: (found: ReadonlyMap<string, FoundFile>, startedAt: number) => void
  readonly onOrphan: () => void
}

export interface ContentSweep {
  /** Ends the walk that is under way. */
  stop(): Promise<void>
}

/**
 * Walks over the cache in the background: once when it is opened, and then now and then, since other processes (replicas,
 * `corelo btf import`) write to the same folder and remove from it. It counts what is there, and removes what killed processes
 * left. A file younger than `orphanAgeMs` may still be being written; where there is one, the next walk follows at that age.
 */
export function startContentSweep (options: ContentSweepOptions): ContentSweep {
  const { roots, orphanAgeMs, intervalMs, onWalked, onOrphan } = options
  const state: { isStopped: boolean, timer: NodeJS.Timeout | undefined } = { isStopped: false, timer: undefined }

  const walk = async (): Promise<void> => {
    const startedAt = Date.now()
    const found = new Map<string, FoundFile>()
    let leftYoung = false
    for await (const { kind, path, name } of listFiles(roots)) {
      if (state.isStopped) return
      const facts = await stat(path).catch(() => undefined)
      if (facts === undefined) continue
      const hash = `sha256:${name}`
      if (isSha256(hash)) found.set(`${kind} ${hash}`, { bytes: facts.size, mtimeMs: facts.mtimeMs })
      else if (Date.now() - facts.mtimeMs < orphanAgeMs) leftYoung = true
      else if (await unlink(path).then(() => true, () => false)) onOrphan()
    }
    if (state.isStopped) return
    onWalked(found, startedAt)
    state.timer = setTimeout(() => { running = walk() }, leftYoung ? Math.min(intervalMs, orphanAgeMs + 100) : intervalMs)
    state.timer.unref()
  }

  let running = walk()
  return {
    async stop () {
      state.isStopped = true
      clearTimeout(state.timer)
      await running
    }
  }
}

async function * listFiles (roots: ReadonlyMap<string, string>): AsyncGenerator<{ kind: string, path: string, name: string }> {
  for (const [kind, root] of roots) {
    for (const folder of await readdir(root).catch(() => [])) {
      for (const name of await readdir(join(root, folder)).catch(() => [])) yield { kind, path: join(root, folder, name), name }
    }
  }
}

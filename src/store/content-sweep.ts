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
    for await (const files of listFiles(roots)) {
      if (state.isStopped) return
      await Promise.all(files.map(async ({ kind, path, name }) => {
        const facts = await stat(path).catch(() => undefined)
        if (facts === undefined) return
        const hash = `sha256:${name}`
        if (isSha256(hash)) found.set(`${kind} ${hash}`, { bytes: facts.size, mtimeMs: facts.mtimeMs })
        else if (Date.now() - facts.mtimeMs < orphanAgeMs) leftYoung = true
        else if (await unlink(path).then(() => true, () => false)) onOrphan()
      }))
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

/**
 * Calls of the file system at a time. One after the other they take four times the CPU, since each wakes a thread for itself; what
 * requests ask of the file system waits for no more than these.
 */
const AT_ONCE = 64

interface ListedFile {
  readonly kind: string
  readonly path: string
  readonly name: string
}

async function * listFiles (roots: ReadonlyMap<string, string>): AsyncGenerator<readonly ListedFile[]> {
  for (const [kind, root] of roots) {
    for (const folders of inParts(await readdir(root).catch(() => []))) {
      const listed = await Promise.all(folders.map(async folder => {
        const names = await readdir(join(root, folder)).catch(() => [])
        return names.map(name => ({ kind, path: join(root, folder, name), name }))
      }))
      yield * inParts(listed.flat())
    }
  }
}

function * inParts<T> (all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += AT_ONCE) yield all.slice(at, at + AT_ONCE)
}

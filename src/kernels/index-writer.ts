import { unlink } from 'node:fs/promises'
import { writeDurably } from '../store/atomic-file.js'
import type { DiskState } from '../store/disk-state.js'
import { isAbsence } from '../store/read-failure.js'
import type { IndexRows } from './index-rows.js'
import { recordKey, recordPath, serializeRecord, singleRecordPath, type RecordName } from './kernel-record.js'

export interface IndexWriterOptions {
  /** Of the index. */
  readonly directory: string
  readonly rows: Pick<IndexRows, 'get'>
  /** Whether a row may still be in the file that its reference had to itself. */
  readonly isSingle: (of: RecordName) => boolean
  readonly warn: (message: string, facts: Record<string, unknown>) => void
  readonly disk: DiskState | undefined
}

/** Brings the rows of the index to the disk. */
export interface IndexWriter {
  /** Writes what is true of a row by the time that it is its turn, or removes its file. Resolves when that was done, or failed. */
  save(of: RecordName): Promise<void>
  /** The same, with nobody waiting. A failure is a warning. */
  saveBehind(of: RecordName): void
  /** Whether the row is being written. */
  isWriting(key: string): boolean
  failures(): number
  /** Waits for what is being written. */
  settled(): Promise<void>
}

/** A row that could not be written is written when the disk takes writes again. */
export function createIndexWriter ({ directory, rows, isSingle, warn, disk }: IndexWriterOptions): IndexWriter {
  const writes = new Map<string, Promise<void>>()
  const unsaved = new Set<string>()
  let failures = 0

  const write = async (of: RecordName): Promise<void> => {
    const key = recordKey(of)
    const path = recordPath(directory, of)
    const record = rows.get(key)
    try {
      if (record === undefined) await removeFile(path)
      else await writeDurably(path, serializeRecord(record))
      if (isSingle(of)) await removeFile(singleRecordPath(directory, of.reference))
      unsaved.delete(key)
    } catch (error) {
      if (record === undefined) return
      failures++
      unsaved.add(key)
      warn('A kernel cannot be written to the index on disk; it is known until the service stops.', { kernel: key, error: String(error) })
      disk?.failed(error)
    }
  }
  /** Writes of one row follow each other. */
  const save = (of: RecordName): Promise<void> => {
    const key = recordKey(of)
    const written = (writes.get(key) ?? Promise.resolve()).then(async () => {
      await write(of)
      if (writes.get(key) === written) writes.delete(key)
    })
    writes.set(key, written)
    return written
  }
  const saveBehind = (of: RecordName): void => { save(of).catch(() => {}) } // it warns by itself

  disk?.onRecovered(() => {
    for (const key of unsaved) {
      const record = rows.get(key)
      if (record !== undefined) saveBehind(record)
    }
  })

  return {
    save,
    saveBehind,
    isWriting: key => writes.has(key),
    failures: () => failures,
    async settled () { await Promise.all(writes.values()) }
  }
}

async function removeFile (path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => { if (!isAbsence(error)) throw error })
}

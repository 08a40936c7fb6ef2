import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { writeDurably } from '../store/atomic-file.js'
import { sha256 } from '../store/sha256.js'
import { parseTrusted, serializeRecord, type KernelRecord } from './kernel-record.js'

/**
 * The rows of the index in one file, which is read in a fraction of the time that as many files take. It is a copy and never
 * believed over the files: a row counts only where the file's own facts, or those of its folder, are what they were.
 */
export interface Snapshot {
  /** Time of change of each folder, in milliseconds, by its path below the index. Only of those that had settled. */
  readonly folders: ReadonlyMap<string, number>
  /** Of each file, by its path below the index. */
  readonly signatures: ReadonlyMap<string, string>
  readonly records: ReadonlyMap<string, KernelRecord>
  filesOf(folder: string): readonly string[]
}

const NAME = '.snapshot'
const FORMAT = 'corelo index 1'
/** Rows that are read as fast from their own file: those of kernels with thousands of modules. */
const MAX_ROW_CHARACTERS = 16_384
/** Rows that are parsed before others come to their turn. */
const ROWS_AT_ONCE = 500

/** Undefined where there is none, or none that is intact. */
export async function readSnapshot (directory: string): Promise<Snapshot | undefined> {
  const bytes = await readFile(join(directory, NAME)).catch(() => undefined)
  const end = bytes?.indexOf(0x0a) ?? -1
  if (bytes === undefined || end === -1) return undefined
  const [format, checksum] = bytes.toString('latin1', 0, end).split('\t')
  if (format !== FORMAT || checksum !== sha256(bytes.subarray(end + 1))) return undefined
  const folders = new Map<string, number>()
  const signatures = new Map<string, string>()
  const records = new Map<string, KernelRecord>()
  const files = new Map<string, string[]>()
  let rows = 0
  for (let start = end + 1; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start)
    const [path = '', facts = '', text = ''] = bytes.toString('utf8', start, newline).split('\t')
    start = newline + 1
    if (text === '') {
      folders.set(path, Number(facts))
      continue
    }
    signatures.set(path, facts)
    const folder = path.slice(0, path.lastIndexOf('/'))
    const known = files.get(folder)
    if (known === undefined) files.set(folder, [path])
    else known.push(path)
    const record = text === LARGE ? undefined : parseTrusted(text)
    if (record !== undefined) records.set(path, record)
    if (++rows % ROWS_AT_ONCE === 0) await setImmediate()
  }
  return { folders, signatures, records, filesOf: folder => files.get(folder) ?? [] }
}

/** Stands for a row that has to be read from its file. */
const LARGE = '-'

/** @throws the error of the file system */
export async function writeSnapshot (
  directory: string,
  { folders, signatures }: Pick<Snapshot, 'folders' | 'signatures'>,
  recordAt: (path: string) => KernelRecord | undefined
): Promise<void> {
  const lines = [...folders].map(([folder, changedAt]) => `${folder}\t${changedAt}\n`)
  for (const [path, signature] of signatures) {
    const record = recordAt(path)
    const text = record === undefined ? LARGE : serializeRecord(record).trimEnd()
    lines.push(`${path}\t${signature}\t${text.length > MAX_ROW_CHARACTERS ? LARGE : text}\n`)
    if (lines.length % ROWS_AT_ONCE === 0) await setImmediate()
  }
  const body = Buffer.from(lines.join(''))
  await writeDurably(join(directory, NAME), Buffer.concat([Buffer.from(`${FORMAT}\t${sha256(body)}\n`), body]))
}

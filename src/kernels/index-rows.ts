import { recordKey, type KernelRecord } from './kernel-record.js'
import { buildsOf } from './merge-records.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'

/** The rows of the index in memory, found by all that they are looked for by. */
export interface IndexRows {
  get(key: string): KernelRecord | undefined
  has(key: string): boolean
  /** Adds or replaces the row of its key. */
  set(record: KernelRecord): void
  /** Replaces a row by one that is found by the same. Cheaper. */
  renew(record: KernelRecord): void
  delete(key: string): void
  named(reference: KernelReference): readonly KernelRecord[]
  byRelease(release: string): readonly KernelRecord[]
  byBtf(hash: Sha256): readonly KernelRecord[]
  byModuleBtf(hash: Sha256): readonly KernelRecord[]
  byBuildId(buildId: string): readonly KernelRecord[]
  /** All, in the order of their keys. */
  list(): readonly KernelRecord[]
  /** Goes up with every row that is added, replaced or deleted. Not where one is renewed. */
  revision(): number
}

/** All lists that it gives are in the order of references, then of hashes. */
export function createIndexRows (): IndexRows {
  const rows = new Map<string, KernelRecord>()
  const references = createKeys()
  const releases = createKeys()
  const contents = createKeys()
  const moduleContents = createKeys()
  const buildIds = createKeys()
  /** Sorting takes long, and each use of a kernel renews its row. */
  let sortedKeys: readonly string[] | undefined
  let listed: readonly KernelRecord[] | undefined
  let revision = 0

  const rowsOf = (keys: ReadonlySet<string> | undefined): readonly KernelRecord[] => {
    const found: KernelRecord[] = []
    for (const key of keys === undefined || keys.size < 2 ? keys ?? [] : [...keys].sort()) {
      const record = rows.get(key)
      if (record !== undefined) found.push(record)
    }
    return found
  }
  const remove = (key: string): void => {
    const record = rows.get(key)
    if (record === undefined) return
    rows.delete(key)
    revision++
    references.remove(formatReference(record.reference), key)
    releases.remove(record.reference.release, key)
    contents.remove(record.btfSha256, key)
    for (const module of record.modules) moduleContents.remove(module.btfSha256, key)
    for (const buildId of buildIdsOf(record)) buildIds.remove(buildId, key)
    sortedKeys = listed = undefined
  }

  return {
    get: key => rows.get(key),
    has: key => rows.has(key),
    set (record) {
      const key = recordKey(record)
      remove(key)
      revision++
      sortedKeys = listed = undefined
      rows.set(key, record)
      references.add(formatReference(record.reference), key)
      releases.add(record.reference.release, key)
      contents.add(record.btfSha256, key)
      for (const module of record.modules) moduleContents.add(module.btfSha256, key)
      for (const buildId of buildIdsOf(record)) buildIds.add(buildId, key)
    },
    renew (record) {
      rows.set(recordKey(record), record)
      listed = undefined
    },
    delete: remove,
    named: reference => rowsOf(references.get(formatReference(reference))),
    byRelease: release => rowsOf(releases.get(release)),
    byBtf: hash => rowsOf(contents.get(hash)),
    byModuleBtf: hash => rowsOf(moduleContents.get(hash)),
    byBuildId: buildId => rowsOf(buildIds.get(buildId)),
    list () {
      sortedKeys ??= [...rows.keys()].sort()
      listed ??= sortedKeys.flatMap(key => rows.get(key) ?? [])
      return listed
    },
    revision: () => revision
  }
}

function buildIdsOf (record: KernelRecord): readonly string[] { return buildsOf(record).flatMap(({ buildId }) => buildId ?? []) }

interface Keys {
  get(of: string): ReadonlySet<string> | undefined
  add(of: string, key: string): void
  remove(of: string, key: string): void
}

function createKeys (): Keys {
  const sets = new Map<string, Set<string>>()
  return {
    get: of => sets.get(of),
    add (of, key) {
      const known = sets.get(of)
      if (known === undefined) sets.set(of, new Set([key]))
      else known.add(key)
    },
    remove (of, key) {
      const known = sets.get(of)
      known?.delete(key)
      if (known?.size === 0) sets.delete(of)
    }
  }
}

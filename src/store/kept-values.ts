import { LRUCache } from 'lru-cache'
import type { ContentStore } from './content-store.js'
import { isSealedBy, SEAL_SIZE, sealOf, type SealKeys } from './seal.js'
import type { Sha256 } from './sha256.js'
import { createSingleFlight } from './single-flight.js'

/**
 * Small values that follow from an object, by keys: a file for each object, in the store's `result` kind. What is not there, damaged,
 * made by others or by another engine is computed again, so that a file is complete or counts for nothing.
 *
 * Written behind, so that a process that is killed may lose the last ones. Several processes may share the folder: each adds to what
 * is there when it writes; of two that write at the same moment, the later one counts.
 */
export interface KeptValues {
  /** All that is kept of an object, in the order in which it was kept. */
  of(object: Sha256): Promise<ReadonlyMap<string, Uint8Array>>
  /** Keeps a value, in memory at once, on disk when there is time. One that is too large is not kept. */
  keep(object: Sha256, key: string, value: Uint8Array): void
  /** Lets go of a value that turned out to be wrong, and of the file that it came from. */
  discard(object: Sha256, key: string): Promise<void>
  stats(): { readonly bytes: number, readonly entries: number }
}

export interface KeptValuesOptions {
  readonly store: Pick<ContentStore, 'readDerived' | 'rewriteBehind' | 'discardDamaged' | 'noteUse'>
  /** Without any, nothing is read or written. */
  readonly sealKeys: SealKeys
  /** What makes the values. Those of another engine are not believed. */
  readonly engine: string
  readonly memoryBytes: number
}

/** Of one object's file: some thousand patch lists. When it is full, the values go that were kept first. */
const MAX_FILE_BYTES = 1024 * 1024
/** A list of 12,000 patches. */
const MAX_VALUE_BYTES = 256 * 1024
const FORMAT = 'corelo results 1'
const PURPOSE = 'results of'
/** What an object weighs of which nothing is kept, in bytes. */
const OVERHEAD = 200
/** Lengths of key and value before each. */
const ENTRY_HEADER = 8

type Values = Map<string, Uint8Array>

interface Held {
  readonly values: Values
  /** What they weigh. */
  readonly bytes: number
}

export function createKeptValues ({ store, sealKeys, engine, memoryBytes }: KeptValuesOptions): KeptValues {
  const held = new LRUCache<Sha256, Held>({ maxSize: memoryBytes, sizeCalculation: ({ bytes }) => bytes })
  const loads = createSingleFlight<Values>()
  /** What is not in the file yet. */
  const pending = new Map<Sha256, Values>()
  const [sealKey] = sealKeys
  const header = `${FORMAT} ${engine}\n`
  const purposeOf = (object: Sha256): string => `${PURPOSE} ${object}`

  /** Undefined where there is a file that cannot be read, and so must not be replaced. */
  const read = async (object: Sha256): Promise<Values | undefined> => {
    const file = await store.readDerived('result', object)
    if (!(file instanceof Uint8Array)) return file.state === 'absent' ? new Map() : undefined
    if (!startsWith(file, header)) return new Map() // of another engine, or of another format
    const end = file.length - SEAL_SIZE
    const values = isSealedBy(sealKeys, purposeOf(object), file.subarray(0, end), file.subarray(end))
      ? parseValues(file.subarray(header.length, end))
      : undefined
    if (values !== undefined) return values
    await store.discardDamaged('result', object)
    return new Map()
  }
  const load = async (object: Sha256): Promise<Values> => {
    const values = new Map([...await read(object) ?? [], ...pending.get(object) ?? []])
    held.set(object, { values, bytes: weigh(values) })
    if (values.size > 0) store.noteUse('result', object)
    return values
  }
  /** What the file is to be: what others put there since, and what is new here. */
  const makeFile = async (object: Sha256): Promise<Uint8Array | undefined> => {
    const added = pending.get(object)
    pending.delete(object)
    const there = await read(object)
    if (added === undefined || there === undefined || sealKey === undefined) return undefined
    for (const key of added.keys()) there.delete(key) // to the end
    const body = formatValues(header, new Map([...there, ...added]))
    return Buffer.concat([body, sealOf(sealKey, purposeOf(object), body)])
  }

  return {
    async of (object) {
      if (sealKey === undefined) return NOTHING
      return held.get(object)?.values ?? await loads.run(object, () => load(object))
    },
    keep (object, key, value) {
      if (sealKey === undefined || value.length > MAX_VALUE_BYTES) return
      const known = held.get(object)
      if (known !== undefined) held.set(object, withValue(known, key, value))
      const waiting = pending.get(object)
      if (waiting !== undefined) {
        waiting.set(key, value)
        return
      }
      pending.set(object, new Map([[key, value]]))
      const isQueued = store.rewriteBehind('result', object, value.length, () => makeFile(object))
      if (!isQueued) pending.delete(object)
    },
    async discard (object, key) {
      pending.get(object)?.delete(key)
      held.delete(object)
      await store.discardDamaged('result', object)
    },
    stats: () => ({ bytes: held.calculatedSize, entries: held.size })
  }
}

const NOTHING: ReadonlyMap<string, Uint8Array> = new Map()

function weigh (values: Values): number {
  let bytes = OVERHEAD
  for (const [key, value] of values) bytes += weightOf(key, value)
  return bytes
}

function weightOf (key: string, value: Uint8Array): number { return OVERHEAD + 2 * key.length + value.length }

/** The same map with one value more, without those that find no room in the file either. */
function withValue ({ values, bytes }: Held, key: string, value: Uint8Array): Held {
  const before = values.get(key)
  let sum = bytes + weightOf(key, value) - (before === undefined ? 0 : weightOf(key, before))
  values.delete(key)
  values.set(key, value)
  for (const [first, other] of values) {
    if (sum <= MAX_FILE_BYTES) break
    values.delete(first)
    sum -= weightOf(first, other)
  }
  return { values, bytes: sum }
}

function startsWith (file: Uint8Array, text: string): boolean {
  return file.length >= text.length + SEAL_SIZE && Buffer.from(file.buffer, file.byteOffset, text.length).toString('latin1') === text
}

/** The last values that find room, in their order. */
function formatValues (header: string, values: Values): Buffer {
  let room = MAX_FILE_BYTES - header.length - SEAL_SIZE
  const parts: Uint8Array[] = []
  for (const [key, value] of [...values].reverse()) {
    const name = Buffer.from(key)
    room -= ENTRY_HEADER + name.length + value.length
    if (room < 0) break
    const lengths = Buffer.alloc(ENTRY_HEADER)
    lengths.writeUInt32LE(name.length, 0)
    lengths.writeUInt32LE(value.length, 4)
    parts.push(value, name, lengths)
  }
  return Buffer.concat([Buffer.from(header), ...parts.reverse()])
}

/** Undefined where the lengths do not fit the bytes. */
function parseValues (body: Uint8Array): Values | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const values: Values = new Map()
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < ENTRY_HEADER) return undefined
    const keyEnd = at + ENTRY_HEADER + bytes.readUInt32LE(at)
    const end = keyEnd + bytes.readUInt32LE(at + 4)
    if (end > bytes.length) return undefined
    values.set(bytes.toString('utf8', at + ENTRY_HEADER, keyEnd), bytes.subarray(keyEnd, end))
    at = end
  }
  return values
}

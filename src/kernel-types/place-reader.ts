import { LRUCache } from 'lru-cache'
import type { TypeName } from '../c-types/named-types.js'
import type { Places } from '../c-types/places.js'
import { AppError } from '../errors.js'
import type { LayoutTables } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Sha256 } from '../store/sha256.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedBtf } from '../workers/protocol.js'

export interface PlaceReaderOptions {
  /** Tables that tell which kernels lay out a type alike. Undefined: each BTF is read. */
  readonly tables?: Pick<LayoutTables, 'typeDigests'> | undefined
  /** Threads that give way to all others. */
  readonly pool: Pick<WorkerPool, 'run'>
  /** Where BTF can be had without keeping it in memory. */
  readonly glance: (hash: Sha256) => CheckedBtf
  /** Has BTF from elsewhere that is in none of those files. Undefined: it counts as lost. */
  readonly loadPast?: (hash: Sha256) => Promise<SharedBtf>
  /** BTFs that are read at a time. */
  readonly concurrency: number
}

/** What is looked for in each kernel. */
export interface WantedPlaces {
  readonly wanted: TypeName
  /** Null for the type itself. */
  readonly member: string | null
}

export interface PlaceReader {
  /**
   * Where a member is in each of these BTFs: one is read of all that lay out the type alike, and none that was read before. An error
   * stands for BTF that cannot be read, and nothing for what was left out by the bounds: those that stand for most kernels are first.
   *
   * @param btfs with how many kernels each stands for
   */
  read(
    question: WantedPlaces,
    btfs: ReadonlyMap<Sha256, number>,
    bounds: { readonly reads: number, readonly timeMs: number },
    signal: AbortSignal
  ): Promise<ReadonlyMap<Sha256, Places | AppError>>
}

/** Answers that are remembered: of a question and a layout. Some 300 bytes each. */
const MAX_KNOWN = 50_000
/** Layouts that are remembered, of a type's name and a BTF. Some 200 bytes each. */
const MAX_LAYOUTS = 100_000

const TYPE_MISSING: Places = { state: 'type_missing', places: [] }

export function createPlaceReader ({ tables, pool, glance, loadPast, concurrency }: PlaceReaderOptions): PlaceReader {
  const known = new LRUCache<string, Places>(atMost(MAX_KNOWN))
  const layouts = new LRUCache<string, string>(atMost(MAX_LAYOUTS))

  /** By BTF a text for how it lays out the types of a name; none for BTF that cannot be compared. */
  const layoutsOf = async (name: string, btfs: readonly Sha256[], signal: AbortSignal): Promise<ReadonlyMap<Sha256, string>> => {
    const found = new Map<Sha256, string>()
    const missing = btfs.filter(btf => {
      const layout = layouts.get(`${name} ${btf}`)
      if (layout !== undefined) found.set(btf, layout)
      return layout === undefined
    })
    if (tables === undefined) return found
    const digests = await tables.typeDigests(name, missing, signal)
    missing.forEach((btf, i) => {
      const digest = digests[i] ?? null
      if (digest === null) return
      layouts.set(`${name} ${btf}`, digest)
      found.set(btf, digest)
    })
    return found
  }

  const readOne = async (question: WantedPlaces, hash: Sha256): Promise<Places> => {
    const here = await pool.run({ kind: 'findPlaces', btf: glance(hash), ...question })
    if (here.state === 'ready') return here.places
    if (loadPast === undefined) throw new AppError('btf_unknown', LOST, { btf_sha256: hash })
    const again = await pool.run({ kind: 'findPlaces', btf: await loadPast(hash), ...question })
    if (again.state === 'absent') throw new AppError('internal_error', 'BTF in memory counts as absent.')
    return again.places
  }

  return {
    async read (question, btfs, { reads, timeMs }, signal) {
      const { wanted: { kind, name }, member } = question
      const layoutOf = await layoutsOf(name, [...btfs.keys()], signal)
      const answers = new Map<string, Places | AppError>()
      const waiting = new Map<string, { readonly btf: Sha256, kernels: number }>()
      const keyOf = (btf: Sha256): string => `${kind} ${name} ${member ?? ''} ${layoutOf.get(btf) ?? btf}`
      for (const [btf, kernels] of btfs) {
        const key = keyOf(btf)
        // Of this very BTF it may be known from before there was a table of its layouts.
        const answer = layoutOf.get(btf) === '' ? TYPE_MISSING : known.get(key) ?? known.get(`${kind} ${name} ${member ?? ''} ${btf}`)
        if (answer !== undefined) answers.set(key, answer)
        else {
          const entry = waiting.get(key) ?? { btf, kernels: 0 }
          entry.kernels += kernels
          waiting.set(key, entry)
        }
      }
      const queue = [...waiting].filter(([key]) => !answers.has(key)).sort(([, a], [, b]) => b.kernels - a.kernels).slice(0, reads)
      const end = performance.now() + timeMs
      const work = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined && performance.now() < end; next = queue.shift()) {
          signal.throwIfAborted()
          const [key, { btf }] = next
          try {
            const places = await readOne(question, btf)
            known.set(key, places)
            answers.set(key, places)
          } catch (error) {
            if (!(error instanceof AppError) || error.code === 'draining') throw error
            answers.set(key, error)
          }
        }
      }
      await Promise.all(Array.from({ length: concurrency }, work))
      return new Map([...btfs.keys()].flatMap(btf => {
        const answer = answers.get(keyOf(btf))
        return answer === undefined ? [] : [[btf, answer]]
      }))
    }
  }
}

const LOST = 'Its BTF is not held any more.'

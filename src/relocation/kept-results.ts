import type { KeptValues } from '../store/kept-values.js'
import type { Sha256 } from '../store/sha256.js'
import { verdictKey } from '../verdict/index.js'
import type { WorkerPool } from '../workers/pool.js'
import { proveResult } from '../workers/prove-result.js'
import type { RelocatedObject } from '../workers/protocol.js'
import { formatResult, parseResult } from './result-format.js'

/** What a result follows from, beside the object. */
export interface ResultKey {
  readonly btf: Sha256
  readonly modules: readonly Sha256[]
  /** Of the kernel, where it is named. */
  readonly release: string | undefined
}

/**
 * Results that outlive the process: by the object and the layouts of all types that it asks for, so that kernels which lay these out alike
 * have one; by BTF and modules where something in the result is of the BTF alone.
 */
export interface KeptResults {
  /**
   * The result that is kept for an object and a kernel, checked: its patches make of the object what has the result's digest.
   *
   * @param accepts whether a result will do: it may have no report
   * @param load the object, in shared memory. Called only where something is kept of it
   */
  find(
    object: Sha256, key: ResultKey, accepts: (result: RelocatedObject) => boolean, load: () => Promise<Uint8Array>
  ): Promise<RelocatedObject | undefined>
  /** Keeps a result that no assumption of the caller is in. */
  keep(object: Sha256, key: ResultKey, result: RelocatedObject): void
  /** Results that were found. */
  readonly hits: number
}

export interface KeptResultsOptions {
  readonly values: KeptValues
  readonly pool: Pick<WorkerPool, 'run'>
  /** Where the layout table of a kernel is or would be. */
  readonly layoutPath: (btf: Sha256) => string
}

/** Before the keys of results, among other values that are kept of an object. */
const PREFIX = 'result '
const OF_LAYOUT = `${PREFIX}layout `
/** Objects up to this size are hashed at once, which takes less than to ask a thread: 0.3 ms. */
const HASHED_AT_ONCE = 256 * 1024

export function createKeptResults ({ values, pool, layoutPath }: KeptResultsOptions): KeptResults {
  let hits = 0

  const findVector = async (object: Sha256, btf: Sha256, bytes: Uint8Array): Promise<string | null> =>
    await pool.run({ kind: 'layoutVector', object: bytes, objectSha256: object, btf, path: layoutPath(btf) })

  const isIntact = async (object: Uint8Array, result: RelocatedObject): Promise<boolean> => object.length <= HASHED_AT_ONCE
    ? proveResult({ object, result })
    : await pool.run({ kind: 'proveResult', object, result: { patches: result.patches, sha256: result.sha256 } })

  return {
    async find (object, key, accepts, load) {
      const kept = await values.of(object)
      if (![...kept.keys()].some(name => name.startsWith(PREFIX))) return undefined
      const bytes = await load()
      const take = async (scope: string): Promise<RelocatedObject | undefined> => {
        for (const name of namesOf(scope, key.release)) {
          const value = kept.get(name)
          const result = value === undefined ? undefined : parseResult(value)
          if (result === undefined || !accepts(result)) continue
          if (await isIntact(bytes, result)) return result
          await values.discard(object, name)
        }
        return undefined
      }
      const own = await take(scopeOfBtf(key))
      const hasLayouts = own === undefined && key.modules.length === 0 && [...kept.keys()].some(name => name.startsWith(OF_LAYOUT))
      const vector = hasLayouts ? await findVector(object, key.btf, bytes) : null
      const found = own ?? (vector === null ? undefined : await take(scopeOfLayout(vector)))
      if (found !== undefined) hits++
      return found
    },
    keep (object, key, result) {
      const { layoutVector: vector } = result
      const scope = vector === undefined ? scopeOfBtf(key) : scopeOfLayout(vector)
      const [name = scope] = result.isJudged ? namesOf(scope, key.release) : [scope]
      // What a report says of types that are missing depends on the modules that are held, which change.
      values.keep(object, name, formatResult(result, result.report?.missingTypes.length === 0))
    },
    get hits () { return hits }
  }
}

function scopeOfLayout (vector: string): string { return `${OF_LAYOUT}${vector}` }

function scopeOfBtf ({ btf, modules }: ResultKey): string { return `${PREFIX}btf ${[btf, ...modules].join()}` }

/** The result that is judged for a release, and the one that is the same for all. */
function namesOf (scope: string, release: string | undefined): readonly string[] {
  return [`${scope} ${release === undefined ? '-' : verdictKey(release, { readsVersion: true })}`, scope]
}

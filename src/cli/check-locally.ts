import { createChecks } from '../check/checks.js'
import { CHECK_LIMITS } from '../check/limits.js'
import { createLayoutKeys } from '../check/layout-keys.js'
import { createContentKeys } from '../check/outcome-keys.js'
import { createOutcomes } from '../check/outcomes.js'
import { AppError } from '../errors.js'
import { toShared } from '../store/shared-bytes.js'
import type { CheckSource } from './check-source.js'
import { openLocalKernels } from './local-kernels.js'
import { objectNames } from './object-names.js'
import type { Places } from './target-request.js'

const OUTCOME_BYTES = 256 * 1024 * 1024

/** Checks in this process, against the kernels of the cache and the running one. Nothing is fetched, and nothing is written. */
export async function checkLocally (
  objects: ReadonlyArray<{ readonly path: string, readonly bytes: Uint8Array }>,
  patterns: readonly string[],
  places: Places
): Promise<CheckSource> {
  const { index, trustUploads, threads, pool, tables, glance, ...kernels } = await openLocalKernels(places, { objects: objects.length })
  const leaving = new AbortController()
  const close = async (): Promise<void> => {
    leaving.abort(new AppError('draining', 'The check has ended.'))
    await kernels.close()
  }
  const checks = createChecks({
    index,
    trustUploads,
    offered: () => undefined,
    hasSources: false,
    keys: tables === undefined ? createContentKeys() : createLayoutKeys({ tables, maxBytes: VECTOR_BYTES }),
    outcomes: createOutcomes(OUTCOME_BYTES),
    concurrency: threads,
    limits: { ...CHECK_LIMITS, objects: Infinity, objectBytes: Infinity, timeMs: MAX_TIMER_MS },
    get: async hash => await Promise.reject(new AppError('object_unknown', `${hash} is the hash of an object, not a file.`)),
    async take (bytes) {
      const shared = toShared(bytes)
      const { warning } = await pool.run({ kind: 'inspect', object: shared, wantsInspection: false })
      return { bytes: shared, warning }
    },
    relocate: async ({ btf, modules }, runs) => await pool.run({ kind: 'check', btf: glance(btf), modules: modules.map(glance), runs })
  })
  const names = objectNames(objects.map(({ path }) => path))
  try {
    const check = await checks.begin({
      objects: objects.map(({ bytes }, i) => ({ name: names[i], content: bytes })),
      kernels: patterns,
      fetch: false
    }, leaving.signal)
    return { objects: check.objects, rows: check.rows, cells: check.cells, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Of what tells kernels apart: a hundred objects on ten thousand kernels. */
const VECTOR_BYTES = 64 * 1024 * 1024
/** As long as a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

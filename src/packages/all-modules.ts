import { LRUCache } from 'lru-cache'
import type { Refusal } from '../fetch/refusal.js'
import { formatReference } from '../identity/reference.js'
import type { FetchJob } from '../kernels/fetch-jobs.js'
import type { ModuleAsking, ModuleOutcome, OpenedModule } from '../kernels/sources/source.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { PackageContents, PackagedModule } from './package-contents.js'
import type { Publication } from './publication.js'

/** Takes all modules of a kernel when one is asked for. */
export interface AllModules {
  /** @returns undefined where the module was taken before, and has to be read by itself if it is needed again */
  fetch(
    name: string, publication: Publication, asking: ModuleAsking & { readonly job: FetchJob, readonly signal: AbortSignal }
  ): Promise<ModuleOutcome | undefined>
}

/** Kernels of which it is remembered which modules they have. Each is up to 8,192 names. */
const MOST_KNOWN = 50

export function createAllModules (contents: Pick<PackageContents, 'allModules' | 'openModule'>): AllModules {
  const flights = createSingleFlight<ReadonlyMap<string, PackagedModule> | Refusal>()
  const taken = new LRUCache<string, ReadonlySet<string>>({ max: MOST_KNOWN })

  return {
    async fetch (name, publication, { base, keepOthers, job, signal }) {
      const kernel = formatReference(publication.kernel.reference)
      const absent: Refusal = { state: 'absent', answer: `has no module ${name} in the packages of ${kernel}` }
      const key = `${kernel} ${publication.kernel.image.sha256}`
      const known = taken.get(key)
      if (known !== undefined) return known.has(name) ? undefined : absent

      async function * others (modules: ReadonlyMap<string, PackagedModule>): AsyncGenerator<OpenedModule> {
        for (const [other, module] of modules) {
          if (other === name) continue
          const opened = await contents.openModule(other, module, base)
          if (!('state' in opened)) yield opened // what cannot be used says so when it is asked for
        }
      }
      const modules = await flights.run(key, async () => {
        const read = await contents.allModules(publication, { job, signal })
        if (isRefusal(read)) return read
        await keepOthers?.(others(read))
        taken.set(key, new Set(read.keys()))
        return read
      })
      if (isRefusal(modules)) return modules
      const module = modules.get(name)
      if (module === undefined) return absent
      const opened = await contents.openModule(name, module, base)
      return 'state' in opened ? opened : { state: 'found', ...opened }
    }
  }
}

function isRefusal (read: ReadonlyMap<string, PackagedModule> | Refusal): read is Refusal { return 'state' in read }

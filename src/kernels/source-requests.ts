import type { Outcomes } from '../fetch/refusals.js'
import type { WantedBuild } from './matches.js'
import { formatQuery, formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { KeepModules } from './keep-modules.js'
import type { Candidates, FoundKernel, HeldCopy, KernelSource, ModuleOutcome, OpenedModule, SourceOutcome } from './sources/source.js'
import type { Refusal } from '../fetch/refusal.js'
import type { SharedBtf } from '../store/btf-memory.js'

export interface SourceRequestsOptions {
  readonly outcomes: Outcomes
  /** Milliseconds after which a question that a source has not answered by itself counts as timed out. */
  readonly deadlineMs: number
  /** Puts what was found into the store. Part of the one flight, so that it happens once. */
  readonly keep: (found: FoundKernel, source: string) => Promise<void>
  /** The same of modules that came along with one that was asked for. */
  readonly keepModules: KeepModules
}

/**
 * Questions to sources. Equal ones are one, refused ones are not repeated while the refusal is believed, and none knows of who
 * asked it: it has a deadline of its own and is done when everybody has left.
 */
export interface SourceRequests {
  /**
   * What is found is in the store when this resolves. Of a kernel that the source lists now, an earlier "I have it not" is not
   * believed.
   */
  kernel(source: KernelSource, wanted: KernelReference & WantedBuild, via: readonly string[], isListed?: boolean): Promise<SourceOutcome>
  /** Asks again for what is held, if it has changed. Refusals of this are kept apart: what is held stays. */
  revalidate(source: KernelSource, wanted: KernelReference & WantedBuild, held: HeldCopy | undefined): Promise<SourceOutcome>
  /** @param held what is held of the kernel itself */
  module(
    source: KernelSource, wanted: KernelReference & WantedBuild, module: string, base: SharedBtf, held?: HeldCopy
  ): Promise<ModuleOutcome>
  candidates(source: KernelSource, query: KernelQuery, via: readonly string[]): Promise<Candidates>
  /** Questions that were asked, by source and by the class of what came back. */
  stats(): ReadonlyArray<{ readonly source: string, readonly outcome: string, readonly count: number }>
  close(): void
}

export function createSourceRequests ({ outcomes, deadlineMs, keep, keepModules }: SourceRequestsOptions): SourceRequests {
  const flights = createSingleFlight<unknown>()
  const closing = new AbortController()
  const counts = new Map<string, { source: string, outcome: string, count: number }>()

  const count = (source: string, outcome: string): void => {
    const key = `${source} ${outcome}`
    const known = counts.get(key) ?? { source, outcome, count: 0 }
    known.count++
    counts.set(key, known)
  }

  /** One question. `key` tells questions of one source apart. */
  const ask = async <T extends { readonly state: string }>(
    source: KernelSource,
    key: string,
    question: (signal: AbortSignal) => Promise<T>,
    isListed = false
  ): Promise<T | Refusal> => {
    const whole = `${source.name} ${key}`
    const refused = outcomes.get(whole)
    if (refused !== undefined && !(isListed && refused.state === 'absent')) {
      const { leftMs, ...refusal } = refused
      return { ...refusal, retryAfterMs: leftMs }
    }
    return await flights.run(whole, async () => {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(source.deadlineMs ?? deadlineMs)])
      const outcome = await question(signal)
      count(source.name, outcome.state)
      if (isRefusal(outcome) && !closing.signal.aborted) outcomes.keep(whole, outcome)
      return outcome
    }) as T | Refusal // the key says which question it is
  }
  const through = (source: KernelSource, via: readonly string[]): string => {
    return source.isForwarding === true && via.length > 0 ? ` via ${via.join()}` : ''
  }

  /** Puts all that an outcome has into the store. What is remembered of it is without other builds, whose BTF is in memory. */
  const keepAll = async ({ otherBuilds = [], ...outcome }: SourceOutcome, source: KernelSource): Promise<SourceOutcome> => {
    for (const other of otherBuilds) await keep(other, source.name)
    if (outcome.state === 'found') await keep(outcome, source.name)
    return outcome
  }

  return {
    kernel: async (source, wanted, via, isListed = false) => {
      const key = `kernel ${formatReference(wanted)}${buildFor(source, wanted)}${through(source, via)}`
      return await ask(source, key, async signal => {
        return await keepAll(await source.fetch(referenceOf(wanted), { signal, via, build: buildOf(wanted) }), source)
      }, isListed)
    },
    revalidate: async (source, wanted, held) => {
      const key = `again ${formatReference(wanted)}${buildFor(source, wanted)}`
      return await ask(source, key, async signal => {
        const asking = { signal, via: [], build: buildOf(wanted), ...(held === undefined ? {} : { held }) }
        return await keepAll(await source.fetch(referenceOf(wanted), asking), source)
      })
    },
    module: async (source, wanted, module, base, held) => {
      const key = `module ${formatReference(wanted)} ${base.sha256} ${module}`
      return await ask<ModuleOutcome>(source, key, async signal => {
        const reference = referenceOf(wanted)
        const keepOthers = async (modules: AsyncIterable<OpenedModule>): Promise<void> => {
          await keepModules(modules, reference, base.sha256, source.name)
        }
        const asking = { signal, via: [], base, build: buildOf(wanted), keepOthers, ...(held === undefined ? {} : { held }) }
        const outcome = await source.fetchModule?.(reference, module, asking)
        return outcome ?? { state: 'absent', answer: `has no modules of ${formatReference(reference)}` }
      })
    },
    candidates: async (source, query, via) => {
      const key = `candidates ${queryKey(query)}${through(source, via)}`
      return await ask(source, key, signal => source.candidates(query, { signal, via }))
    },
    stats: () => [...counts.values()],
    close () { closing.abort() }
  }
}

function referenceOf ({ distro, distroVersion, arch, release }: KernelReference): KernelReference {
  return { distro, distroVersion, arch, release }
}

function buildOf ({ kernelVersion, buildId }: WantedBuild): WantedBuild {
  return { ...(kernelVersion === undefined ? {} : { kernelVersion }), ...(buildId === undefined ? {} : { buildId }) }
}

/** Tells questions for builds apart where the source does. */
function buildFor (source: KernelSource, { kernelVersion = '', buildId = '' }: WantedBuild): string {
  return source.tellsBuilds === true ? ` ${JSON.stringify([kernelVersion, buildId])}` : ''
}

/** Tells queries apart as sources see them. */
export function queryKey (query: KernelQuery): string {
  return [formatQuery(query), query.distro ?? '', query.distroVersion ?? '', query.arch ?? ''].join(' ')
}

const REFUSALS: ReadonlySet<string> = new Set(
  ['absent', 'malformed', 'denied', 'busy', 'failed', 'timeout'] satisfies Array<Refusal['state']>
)

export function isRefusal (outcome: { readonly state: string }): outcome is Refusal { return REFUSALS.has(outcome.state) }

import { LRUCache } from 'lru-cache'
import type { BpfObject, Relocation } from '../core/index.js'
import { sha256Characters, type Sha256 } from '../store/sha256.js'
import { verdictKey } from '../verdict/index.js'
import { readsVersion } from './reads-version.js'

/** The outcome of an object that loads. */
export interface LoadingOutcome {
  readonly json: string
  /** Whether it may be another one for another release. */
  readonly isOfRelease: boolean
}

/**
 * Outcomes of objects that load, by what relocation made of the object: of a hundred kernels whose layouts differ, most get the patches
 * that another one got, and then the verdict is the same. Of objects that do not load, reasons follow from the kernel's types.
 */
export interface LoadingOutcomes {
  /** Those of a relocation, by release. Undefined where libbpf refuses the object. */
  of(object: BpfObject, hash: Sha256, relocation: Relocation): OutcomesByRelease | undefined
}

export interface OutcomesByRelease {
  get(release: string): LoadingOutcome | undefined
  /** Not to be called where the verdict asked for functions or variables of the kernel: these follow from more than the relocation. */
  keep(release: string, outcome: LoadingOutcome): void
}

/** @param maxCharacters of outcomes that are kept, with their keys */
export function createLoadingOutcomes (maxCharacters: number): LoadingOutcomes {
  const outcomes = new LRUCache<string, LoadingOutcome>({
    maxSize: maxCharacters,
    sizeCalculation: ({ json }, key) => json.length + key.length
  })
  return {
    of (object, hash, relocation) {
      const text = textOf(relocation)
      if (text === undefined) return undefined
      const ofAll = `${hash} ${text}`
      const keyOf = (release: string): string => `${ofAll} ${verdictKey(release, { readsVersion: readsVersion(object) })}`
      return {
        get: release => outcomes.get(ofAll) ?? outcomes.get(keyOf(release)),
        keep (release, outcome) { outcomes.set(outcome.isOfRelease ? keyOf(release) : ofAll, outcome) }
      }
    }
  }
}

/** All that a verdict follows from beside the object and the release. */
function textOf ({ patches, records }: Relocation): string | undefined {
  if (patches === undefined) return undefined
  const values = records.map(({ status, newValue, resolution }) => `${status} ${newValue} ${resolution?.value?.target?.fieldSize}`).join()
  const parts = [patches.offsets, patches.after].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength))
  return sha256Characters(Buffer.concat([Buffer.from(values), ...parts]))
}

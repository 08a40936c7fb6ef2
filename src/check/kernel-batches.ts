import type { CheckedKernel, KernelContent } from './types.js'
import type { CheckOutcome } from './wire.js'

/** Kernels of a list that are looked at together, by their places in it. */
export interface KernelBatch {
  /** Of kernels that are looked at, and their places. */
  readonly contents: readonly KernelContent[]
  readonly places: Uint32Array
  /** Of kernels that have no content. */
  readonly others: ReadonlyArray<{ readonly place: number, readonly outcome: CheckOutcome }>
}

/** A list of kernels, as checks go through it. */
export interface ListedKernels {
  readonly names: readonly string[]
  /** The batch of kernels from this place on, so many of them; undefined behind the last one. */
  batchFrom(place: number, size: number): KernelBatch | undefined
}

const listedKernels = new WeakMap<readonly CheckedKernel[], ListedKernels>()

/**
 * By identity: checks of one fleet have one list, of which nothing is made twice, so that what others keep for these names and contents
 * is found again too.
 */
export function listed (kernels: readonly CheckedKernel[]): ListedKernels {
  let known = listedKernels.get(kernels)
  if (known === undefined) {
    known = list(kernels)
    listedKernels.set(kernels, known)
  }
  return known
}

function list (kernels: readonly CheckedKernel[]): ListedKernels {
  const batches = new Map<string, KernelBatch>()
  return {
    names: kernels.map(({ name }) => name),
    batchFrom (place, size) {
      if (place >= kernels.length) return undefined
      const key = `${place} ${size}`
      const batch = batches.get(key) ?? batchOf(kernels.slice(place, place + size), place)
      batches.set(key, batch)
      return batch
    }
  }
}

/** @param first the place of the first of them */
export function batchOf (kernels: readonly CheckedKernel[], first: number): KernelBatch {
  const contents: KernelContent[] = []
  const places: number[] = []
  const others: Array<KernelBatch['others'][number]> = []
  for (const [i, kernel] of kernels.entries()) {
    if ('content' in kernel) {
      contents.push(kernel.content)
      places.push(first + i)
    } else {
      others.push({ place: first + i, outcome: kernel.outcome })
    }
  }
  return { contents, places: Uint32Array.from(places), others }
}

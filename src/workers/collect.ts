import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Collects garbage in this thread, now.
 *
 * Shared memory is invisible to V8's accounting: a thread that has dropped its last view of 2 GB of SharedArrayBuffers sees no
 * reason to collect, and the memory stays (measured: 400 buffers of 5 MB, one at a time, left 2 GB resident). So whoever evicts
 * BTFs asks for a collection once enough has been let go of. That is rare. It takes 5 to 20 ms, and up to 100 where all
 * threads do it at the same time on two cores.
 */
export function collectGarbage (): void { collector()() }

/**
 * Collects what was made since the last collection and is not referred to any more, in about a millisecond. For who reads a stream: its
 * pieces are outside of the heap, and V8 by itself lets tens of megabytes of them lie.
 */
export function collectYoungGarbage (): void { collector()({ type: 'minor' }) }

function collector (): Collector {
  setFlagsFromString('--expose-gc')
  collect ??= runInNewContext('gc') as Collector
  return collect
}

type Collector = (options?: { readonly type: 'minor' }) => void

let collect: Collector | undefined

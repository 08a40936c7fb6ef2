import { FNV_OFFSET_BASIS, FNV_PRIME } from '../../src/bytes/hash.js'

/** Characters of one of the blocks that names consist of. */
const BLOCK = 6

/**
 * 2 to the power of `levels` names that have one length and one FNV-1a hash: each consists of blocks, for each of which there are two
 * that lead from one state of the hash to the same next one.
 *
 * @param prefix what all of them begin with
 */
export function collidingNames (levels: number, prefix = ''): string[] {
  let names = [prefix]
  let state = hashFrom(FNV_OFFSET_BASIS, prefix)
  for (let level = 0; level < levels; level++) {
    const pair = findPair(state)
    names = names.flatMap(name => pair.map(block => name + block))
    state = hashFrom(state, pair[0])
  }
  return names
}

function hashFrom (state: number, text: string): number {
  let hash = state
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash
}

/** Among blocks that follow each other by a letter there are none for millions; among random ones there is one of a hundred thousand. */
function findPair (state: number): readonly [string, string] {
  const seen = new Map<number, string>()
  for (const block of blocks()) {
    const hash = hashFrom(state, block)
    const other = seen.get(hash)
    if (other !== undefined && other !== block) return [other, block]
    seen.set(hash, block)
  }
  throw new Error('there is no end of blocks')
}

/** The same random blocks each time. */
function * blocks (): Generator<string, void> {
  for (let random = 1; ;) {
    let block = ''
    while (block.length < BLOCK) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
      block += String.fromCharCode(97 + (random >>> 8) % 26)
    }
    yield block
  }
}

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

/**
 * Among blocks that follow each other by a letter there are none for millions; among random ones there is one of a hundred thousand. A
 * block is known by what its random letters start from, and is made when it is asked for.
 */
function findPair (state: number): readonly [string, string] {
  const seen = new Map<number, number>()
  for (let start = 1; ;) {
    let [random, hash] = [start, state]
    for (let i = 0; i < BLOCK; i++) {
      random = after(random)
      hash = Math.imul(hash ^ letterOf(random), FNV_PRIME)
    }
    const other = seen.get(hash)
    if (other !== undefined && blockFrom(other) !== blockFrom(start)) return [blockFrom(other), blockFrom(start)]
    seen.set(hash, start)
    start = random
  }
}

/** The same random numbers each time. */
function after (random: number): number { return (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0 }

function letterOf (random: number): number { return 97 + (random >>> 8) % 26 }

function blockFrom (start: number): string {
  let [block, random] = ['', start]
  while (block.length < BLOCK) {
    random = after(random)
    block += String.fromCharCode(letterOf(random))
  }
  return block
}

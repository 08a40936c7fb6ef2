/** Numbers that look random and are the same for the same seed, everywhere. */
export interface Random {
  /** An integer from 0 to `below` - 1. */
  readonly nat: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
  /** One of the keys; a key with twice the weight is twice as likely. */
  readonly weighted: <K extends string>(weights: Readonly<Record<K, number>>) => K
  readonly shuffled: <T>(items: readonly T[]) => T[]
}

/** Mulberry32: small, and good enough to vary tests. */
export function random (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const nat = (below: number) => Math.floor(next() * below)
  return {
    nat,
    chance: probability => next() < probability,
    pick: from => {
      const picked = from[nat(from.length)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
    weighted: weights => {
      const entries = Object.entries(weights) as Array<[keyof typeof weights, number]>
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      const chosen = entries.find(([, weight]) => (left -= weight) < 0) ?? entries.at(-1)
      if (chosen === undefined) throw new RangeError('nothing to pick from')
      return chosen[0]
    },
    shuffled: items => {
      const order = [...items]
      for (let i = order.length - 1; i > 0; i--) {
        const j = nat(i + 1)
        const held = order[i] as typeof order[number]
        order[i] = order[j] as typeof order[number]
        order[j] = held
      }
      return order
    }
  }
}

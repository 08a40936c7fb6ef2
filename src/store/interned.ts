/** Gives a place to each of what it is asked for, and the same one again. */
export interface Interned<T> {
  readonly list: readonly T[]
  placeOf(item: T): number
}

export function createInterned<T> (): Interned<T> {
  const list: T[] = []
  const places = new Map<T, number>()
  return {
    list,
    placeOf (item) {
      let place = places.get(item)
      if (place === undefined) {
        place = list.push(item) - 1
        places.set(item, place)
      }
      return place
    }
  }
}

/** Options of an LRUCache of at most so many entries. Its own `max` would take the room of all of them at the start. */
export function atMost (entries: number): { readonly maxSize: number, readonly sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 }
}

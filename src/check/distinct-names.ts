import type { NamedObject } from './types.js'

/** Hex digits of the hash that stand behind a name which does not tell an object apart. */
const SHOWN = 12

/**
 * Objects whose names differ: those that share a name (`x.bpf.o` of two folders) have the beginning of their hash behind it. Names
 * tell objects apart in JUnit and SARIF, and in a comparison with an earlier answer, which would take what failed of the one for what
 * fails of the other.
 */
export function withDistinctNames<Named extends Pick<NamedObject, 'sha256' | 'name'>> (objects: readonly Named[]): Named[] {
  const counts = new Map<string, number>()
  for (const { name } of objects) counts.set(name, (counts.get(name) ?? 0) + 1)
  return objects.map(object => counts.get(object.name) === 1
    ? object
    : { ...object, name: `${object.name} (${object.sha256.slice('sha256:'.length).slice(0, SHOWN)})` })
}

import type { Published } from './types.js'

/** The package of a kernel, as answers and events have it: null where none is known. */
export function toPublishedJson (published: Published | undefined): Record<string, string | number | null> | null {
  if (published === undefined) return null
  const { repository, package: name, version, bytes, builtAt } = published
  return { repository, package: name, version, bytes, built_at: builtAt ?? null }
}

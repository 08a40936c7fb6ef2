/** Names that are shown for one that is missing. */
const MAX_NEAR = 3
/** Shorter names are near to anything. */
const MIN_LENGTH = 3
/** Words that are left of a longer name mean something from here on: `nr_pages` of `folio_nr_pages`, but not `count` of `map_count`. */
const LONG = 5
/** How far a name is: the same without underscores around it, or with more words behind it. Others are further. */
export const NEAR = { underscores: 0, furtherWords: 1 } as const
/** Names that are spelled almost alike are further still, by the letters that differ. */
const FEWER_WORDS = 3
/** Longer ones are compared by their words only, since comparing letters costs the square of the length. */
const MAX_LENGTH = 64

/**
 * The names that a missing one was most likely renamed to, best first: with other underscores around it (`state`, `__state`),
 * with words before or after it (`i_atime`, `i_atime_sec`), or spelled almost alike. Of several kinds only the best is given,
 * since a good guess loses by standing beside bad ones.
 *
 * @param most how far they may be
 */
export function nearNames (missing: string, names: readonly string[], most = Infinity): string[] {
  const bare = withoutUnderscores(missing)
  if (bare.length < MIN_LENGTH) return []
  const ranked = new Map<number, string[]>()
  for (const name of new Set(names)) {
    if (name === missing) continue
    const rank = rankOf(bare, withoutUnderscores(name), most)
    if (rank === undefined || rank > most) continue
    const group = ranked.get(rank)
    if (group === undefined) ranked.set(rank, [name])
    else group.push(name)
  }
  return (ranked.get(Math.min(...ranked.keys())) ?? []).slice(0, MAX_NEAR)
}

/** @param furthest ranks beyond it are not wanted, and need not be told */
function rankOf (wanted: string, name: string, furthest: number): number | undefined {
  if (name === wanted) return NEAR.underscores
  if (beginsWith(name, wanted)) return NEAR.furtherWords
  if (endsWith(name, wanted)) return 2
  if (name.length > LONG && (beginsWith(wanted, name) || endsWith(wanted, name))) return FEWER_WORDS
  if (furthest <= FEWER_WORDS || name.length < MIN_LENGTH || name.length > MAX_LENGTH || wanted.length > MAX_LENGTH) return undefined
  const most = Math.floor(Math.min(wanted.length, name.length) / 4)
  if (most === 0 || Math.abs(wanted.length - name.length) > most) return undefined
  const distance = editDistance(wanted, name)
  return distance <= most ? FEWER_WORDS + distance : undefined
}

/** Whether the first words of a name are these. */
function beginsWith (name: string, words: string): boolean {
  return name.startsWith(words) && (name.length === words.length || name[words.length] === '_')
}

function endsWith (name: string, words: string): boolean {
  return name.endsWith(words) && (name.length === words.length || name[name.length - words.length - 1] === '_')
}

function withoutUnderscores (name: string): string {
  return name.startsWith('_') || name.endsWith('_') ? name.replace(/^_+|_+$/g, '') : name
}

/** Letters to add, take away or change (Levenshtein). Of names, which are short. */
function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length] ?? 0
}

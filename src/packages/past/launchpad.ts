import { shownUrl } from '../../fetch/shown-url.js'
import { refused } from '../refresh-apt.js'
import type { LaunchpadRepository } from '../repository.js'
import { below } from '../urls.js'
import { getJson, listOf, MOST_VERSIONS, textsOf, type Texts, type PastPlace, type PastPlaces, type PastQuestion } from './places.js'

/** What Launchpad calls the parts of a series, and how their suites end. */
const POCKETS: Readonly<Record<string, string | undefined>> = { Release: '', Security: '-security', Updates: '-updates' }
/** A package is in the archive some time after it was published: the publisher runs twice an hour, and mirrors take longer. */
const DELAYS_MS = [2 * 3_600_000, 12 * 3_600_000] as const

/**
 * Where Ubuntu's snapshots have a kernel that no current index lists. Launchpad says when it was published, in which pocket. What it says
 * is not signed and decides nothing: it only tells at which times the signed indexes are worth reading.
 *
 *     /ubuntu/+archive/primary?ws.op=getPublishedBinaries&binary_name=…&exact_match=true&distro_arch_series=…
 *         { entries: [{ binary_package_version, pocket, date_published, date_superseded }] }
 *
 * @see https://api.launchpad.net/devel.html#archive-getPublishedBinaries
 */
export async function findInLaunchpad (repository: LaunchpadRepository, { client, release, signal }: PastQuestion): Promise<PastPlaces> {
  for (const name of [`linux-image-unsigned-${release}`, `linux-image-${release}`]) {
    const url = below(repository.url, 'ubuntu')
    url.pathname += '/+archive/primary' // as it is documented: with the plus itself
    const series = below(repository.url, `ubuntu/${repository.series}/${repository.arch}`)
    const question = {
      'ws.op': 'getPublishedBinaries',
      binary_name: name,
      exact_match: 'true',
      distro_arch_series: shownUrl(series)
    }
    for (const [key, value] of Object.entries(question)) url.searchParams.set(key, value)
    const answer = await getJson(client, url, signal)
    if (answer.state === 'absent') continue
    if (answer.state !== 'ok') return answer
    const places = listOf(answer.json, 'entries').map(textsOf).flatMap(entry => placesOf(entry, repository))
    const versions = new Set([...new Set(places.map(({ version }) => version))].slice(0, MOST_VERSIONS))
    if (places.length > 0) return { state: 'ok', places: places.filter(({ version }) => versions.has(version)) }
  }
  return refused('absent', `${shownUrl(repository.url)} has never published a package of ${release} for ${repository.arch}`)
}

function placesOf (entry: Texts, { snapshots, series }: LaunchpadRepository): PastPlace[] {
  const { binary_package_version: version, pocket = '', date_published: published = '', date_superseded: superseded = '' } = entry
  const ending = POCKETS[pocket]
  const from = Date.parse(published)
  if (version === undefined || ending === undefined || Number.isNaN(from)) return []
  const until = Date.parse(superseded)
  const times = DELAYS_MS.map(delay => from + delay).filter((time, i) => i === 0 || Number.isNaN(until) || time < until)
  return times.map(time => ({ base: below(snapshots, `${timestamp(time)}/`), suite: `${series}${ending}`, components: ['main'], version }))
}

function timestamp (time: number): string { return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '') }

import { shownUrl } from '../../fetch/shown-url.js'
import { refused } from '../refresh-apt.js'
import type { SnapshotRepository } from '../repository.js'
import { below } from '../urls.js'
import { compareDebVersions } from '../versions.js'
import { getJson, listOf, MOST_VERSIONS, textsOf, type Texts, type PastPlace, type PastPlaces, type PastQuestion } from './places.js'

/** From this version on the kernel is in `linux-binary-`, and `linux-image-` is a metapackage. */
const BINARY_SINCE = [6, 19] as const
const TIMESTAMP = /^\d{8}T\d{6}Z$/

/**
 * Where Debian's snapshot archive has a kernel that no current index lists. Its interface says when a package was first seen, by names and
 * SHA-1, which prove nothing: it only tells at which times the signed indexes are worth reading, which that archive keeps too.
 *
 *     /mr/binary/<name>/                                    { result: [{ binary_version }] }
 *     /mr/binary/<name>/<version>/binfiles?fileinfo=1       { result: [{ architecture, hash }],
 *                                                             fileinfo: { <hash>: [{ archive_name, first_seen, name }] } }
 *     /archive/<archive>/<timestamp>/dists/<suite>/         as it was then
 *
 * @see https://salsa.debian.org/snapshot-team/snapshot/-/blob/master/API
 */
export async function findInSnapshot (repository: SnapshotRepository, { client, release, signal }: PastQuestion): Promise<PastPlaces> {
  for (const name of namesOf(release)) {
    const folder = below(repository.url, `mr/binary/${name}`)
    folder.pathname += '/'
    const listed = await getJson(client, folder, signal)
    if (listed.state === 'absent') continue
    if (listed.state !== 'ok') return listed
    const versions = [...new Set(listOf(listed.json, 'result').flatMap(row => textsOf(row)['binary_version'] ?? []))]
      .sort((a, b) => compareDebVersions(b, a)).slice(0, MOST_VERSIONS)
    const places: PastPlace[] = []
    for (const version of versions) {
      const url = below(repository.url, `mr/binary/${name}/${version}/binfiles`)
      url.searchParams.set('fileinfo', '1')
      const files = await getJson(client, url, signal)
      if (files.state !== 'ok') return files
      places.push(...placesIn(files.json, repository, version))
    }
    if (places.length > 0) return { state: 'ok', places }
  }
  return refused('absent', `${shownUrl(repository.url)} has never seen a package of ${release} for ${repository.arch}`)
}

function namesOf (release: string): string[] {
  const [major = 0, minor = 0] = release.split(/[.\-+~]/, 2).map(Number)
  const isBinary = major > BINARY_SINCE[0] || (major === BINARY_SINCE[0] && minor >= BINARY_SINCE[1])
  const name = `linux-${isBinary ? 'binary' : 'image'}-${release}`
  return [name, `${name}-unsigned`]
}

function placesIn (json: unknown, { url, arch, codename }: SnapshotRepository, version: string): PastPlace[] {
  const fileinfo = typeof json === 'object' && json !== null && 'fileinfo' in json ? json.fileinfo : undefined
  /** Some answers leave the architecture out; the name of the file ends with it. */
  const isForArch = ({ architecture, hash = '' }: Texts): boolean => architecture === undefined
    ? listOf(fileinfo, hash).map(textsOf).some(({ name }) => name?.endsWith(`_${arch}.deb`) === true)
    : architecture === arch
  const hash = listOf(json, 'result').map(textsOf).find(isForArch)?.['hash']
  if (hash === undefined) return []
  return listOf(fileinfo, hash).map(textsOf).flatMap(({ archive_name: archive, first_seen: seen = '' }) => {
    if (!TIMESTAMP.test(seen)) return []
    const base = below(url, `archive/${archive}/${seen}/`)
    if (archive === 'debian-security') return [{ base, suite: `${codename}-security`, components: ['updates/main'], version }]
    // A kernel waits in proposed-updates for the next release of the distribution.
    return archive === 'debian'
      ? [`${codename}-backports`, `${codename}-proposed-updates`, `${codename}-updates`, codename]
          .map(suite => ({ base, suite, components: ['main'], version }))
      : []
  })
}

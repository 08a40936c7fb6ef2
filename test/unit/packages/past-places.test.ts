import type { IncomingMessage } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createHttpClient } from '../../../src/fetch/http-client.js'
import { findInSnapshot } from '../../../src/packages/past/debian-snapshot.js'
import { findInLaunchpad } from '../../../src/packages/past/launchpad.js'
import type { PastPlaces } from '../../../src/packages/past/places.js'
import { startLoopbackServer } from '../../support/loopback-server.js'

const COMMON = { id: 'past', arch: 'amd64', signers: { kind: 'nobody' }, isHistory: true } as const

/** An interface that answers by what was asked, with JSON or 404. */
async function ask (
  answer: (path: string, query: URLSearchParams) => unknown,
  find: (base: URL, client: ReturnType<typeof createHttpClient>) => Promise<PastPlaces>
) {
  const asked: string[] = []
  const server = await startLoopbackServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    asked.push(url.pathname)
    const found = answer(url.pathname, url.searchParams)
    if (found === undefined) response.writeHead(404, { 'content-type': 'application/json' }).end('{"error": "No such thing"}')
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found))
  })
  const base = new URL(`${server.url}/`)
  const client = createHttpClient({ origins: [base], limits: { tries: 1 } })
  onTestFinished(() => client.close())
  const found = await find(base, client)
  const places = found.state === 'ok' ? found.places.map(place => ({ ...place, base: place.base.pathname })) : found
  return { asked, places }
}

/** Answers with all members that the interface's description names (https://salsa.debian.org/snapshot-team/snapshot/-/blob/master/API). */
describe("Debian's snapshot archive", () => {
  const RELEASE = '6.1.0-18-amd64'
  const AMD64 = '5a1d5a3c1c9a0a5dd5b3b3c0f6f0f9c8a1b2c3d4'
  const ARM64 = '0b2d5a3c1c9a0a5dd5b3b3c0f6f0f9c8a1b2c3d4'
  const fileOf = (arch: string, archive: string, seen: string) => ({
    archive_name: archive,
    first_seen: seen,
    name: `linux-image-${RELEASE}_6.1.76-1_${arch}.deb`,
    path: '/pool/main/l/linux-signed-amd64',
    size: 68800000
  })
  const binary = {
    _comment: 'foo',
    binary: `linux-image-${RELEASE}`,
    result: [{ binary_version: '6.1.76-1', name: `linux-image-${RELEASE}`, source: 'linux-signed-amd64', version: '6.1.76+1' }]
  }
  const fileinfo = {
    [ARM64]: [fileOf('arm64', 'debian', '20240101T000000Z')],
    [AMD64]: [
      fileOf('amd64', 'debian', '20240201T152351Z'), fileOf('amd64', 'debian-security', '20240203T031545Z'),
      fileOf('amd64', 'debian-ports', '20240204T031545Z')
    ]
  }
  const EXPECTED = [
    ...['bookworm-backports', 'bookworm-proposed-updates', 'bookworm-updates', 'bookworm'].map(suite =>
      ({ base: '/archive/debian/20240201T152351Z', suite, components: ['main'], version: '6.1.76-1' })),
    { base: '/archive/debian-security/20240203T031545Z', suite: 'bookworm-security', components: ['updates/main'], version: '6.1.76-1' }
  ]

  it.each([
    ['with the architecture of each file', [{ architecture: 'arm64', hash: ARM64 }, { architecture: 'amd64', hash: AMD64 }]],
    ['without, so that the name of the file tells', [{ hash: ARM64 }, { hash: AMD64 }]]
  ])('tells when a package was first seen, %s', async (_, result) => {
    const { asked, places } = await ask((path, query) => {
      if (path === `/mr/binary/linux-image-${RELEASE}/`) return binary
      if (path !== `/mr/binary/linux-image-${RELEASE}/6.1.76-1/binfiles` || query.get('fileinfo') !== '1') return undefined
      return { _comment: 'foo', binary: binary.binary, binary_version: '6.1.76-1', result, fileinfo }
    }, async (url, client) => await findInSnapshot(
      {
        ...COMMON, type: 'debian-snapshot', url, codename: 'bookworm', distro: 'debian', distroVersion: '12', naming: 'debian'
      }, { client, release: RELEASE, signal: AbortSignal.timeout(60_000) }))
    expect(places).toEqual(EXPECTED)
    expect(asked).toHaveLength(2)
  })
})

/** Answers with the members of https://api.launchpad.net/devel.html#binary_package_publishing_history that matter, beside others. */
describe('Launchpad', () => {
  it('tells when a package was published, in the pockets that are suites of the archive', async () => {
    const entryOf = (pocket: string, published: string | null, superseded: string | null, status: string) => ({
      self_link: 'https://api.launchpad.net/devel/ubuntu/+archive/primary/+binarypub/190000000',
      resource_type_link: 'https://api.launchpad.net/devel/#binary_package_publishing_history',
      display_name: 'linux-image-unsigned-6.8.0-31-generic 6.8.0-31.31 in noble amd64',
      binary_package_name: 'linux-image-unsigned-6.8.0-31-generic',
      binary_package_version: '6.8.0-31.31',
      architecture_specific: true,
      priority_name: 'OPTIONAL',
      component_name: 'main',
      section_name: 'kernel',
      status,
      pocket,
      date_published: published,
      date_superseded: superseded,
      scheduled_deletion_date: null,
      distro_arch_series_link: 'https://api.launchpad.net/devel/ubuntu/noble/amd64'
    })
    const questions: string[] = []
    const { places } = await ask((path, query) => {
      questions.push(`${path}?${[...query].map(([key, value]) => `${key}=${value.replace(/^http:\/\/[^/]+/, '')}`).join('&')}`)
      return {
        start: 0,
        total_size: 3,
        entries: [
          entryOf('Proposed', '2024-04-18T10:00:00.000000+00:00', null, 'Deleted'),
          entryOf('Updates', null, null, 'Pending'),
          entryOf('Release', '2024-04-19T10:30:42.123456+00:00', '2024-04-19T20:00:00.000000+00:00', 'Superseded')
        ]
      }
    }, async (url, client) => await findInLaunchpad(
      {
        ...COMMON,
        type: 'launchpad',
        url: new URL('devel/', url),
        snapshots: new URL('snapshots/ubuntu/', url),
        series: 'noble',
        distro: 'ubuntu',
        distroVersion: '24.04',
        naming: 'ubuntu'
      }, { client, release: '6.8.0-31-generic', signal: AbortSignal.timeout(60_000) }))
    expect(questions).toEqual([
      '/devel/ubuntu/+archive/primary?ws.op=getPublishedBinaries&binary_name=linux-image-unsigned-6.8.0-31-generic&exact_match=true' +
        '&distro_arch_series=/devel/ubuntu/noble/amd64'
    ])
    expect(places).toEqual([{ base: '/snapshots/ubuntu/20240419T123042Z', suite: 'noble', components: ['main'], version: '6.8.0-31.31' }])
  })
})

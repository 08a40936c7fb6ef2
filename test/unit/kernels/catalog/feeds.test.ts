import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createCatalog, type Catalog, type CatalogOptions } from '../../../../src/kernels/catalog/catalog.js'
import { createDirectoryFeed } from '../../../../src/kernels/catalog/directory-feed.js'
import { createFileFeed, createUrlFeed, type Feed } from '../../../../src/kernels/catalog/feed.js'
import { createHttpClient } from '../../../../src/fetch/http-client.js'
import { formatReference, parseQuery } from '../../../../src/identity/reference.js'
import { temporaryFolder } from '../../service/lab.js'

const FOCAL = 'ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz'
const BIONIC = 'ubuntu/18.04/x86_64/5.4.0-100-generic.btf.tar.xz'
const SLES = 'sles/12.3/x86_64/4.4.103-6.33.1-default.btf.tar.xz'
const BARE = parseQuery({ kernelRelease: '5.4.0-100-generic' })

interface Started extends Catalog { readonly warnings: Array<Record<string, unknown>> }

async function start (feeds: readonly Feed[], options: Partial<CatalogOptions> = {}): Promise<Started> {
  const warnings: Array<Record<string, unknown>> = []
  const catalog = createCatalog({ feeds, onWarning: (message, facts) => { warnings.push({ message, ...facts }) }, ...options })
  onTestFinished(() => catalog.close())
  await catalog.start()
  return Object.assign(catalog, { warnings })
}

const pathsOf = (catalog: Catalog): string[] => [...catalog.kernels().list({})].map(({ path }) => path)

/** An origin on loopback, and a feed of it. */
async function origin (answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise(resolve => { server.close(resolve) })
  }
  onTestFinished(stop)
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/archive/list.txt?token=secret`)
  const folder = await temporaryFolder()
  const copyPath = join(folder, 'catalog/btfhub.txt')
  const feed = (): Feed => {
    const client = createHttpClient({ origins: [url], limits: { tries: 1 } })
    return createUrlFeed({ url, source: 'btfhub', get: request => client.get(request), close: () => client.close(), copyPath })
  }
  return { requests, feed, copyPath, stop }
}

describe('a listing at an address', () => {
  it('is asked for conditionally, and an unchanged one costs no body, also after a restart', async () => {
    let sent = 0
    const { requests, feed } = await origin((request, response) => {
      if (request.headers['if-none-match'] === '"v1"') return response.writeHead(304).end()
      sent++
      return response.writeHead(200, { etag: '"v1"' }).end(`${FOCAL}\n${BIONIC}\n`)
    })
    const first = await start([feed()])
    await first.refresh()
    expect(pathsOf(first)).toEqual([BIONIC, FOCAL])
    await first.refresh()
    await first.close()
    const second = await start([feed()])
    expect(pathsOf(second)).toEqual([BIONIC, FOCAL])
    await second.refresh()
    expect(pathsOf(second)).toEqual([BIONIC, FOCAL])
    expect([sent, requests.length]).toEqual([1, 3])
  })

  it('that has no ETag is asked for by its date', async () => {
    const date = 'Sun, 22 Nov 2026 10:00:00 GMT'
    const { requests, feed } = await origin((request, response) => {
      if (request.headers['if-modified-since'] === date) return response.writeHead(304).end()
      return response.writeHead(200, { 'last-modified': date }).end(FOCAL)
    })
    const catalog = await start([feed()])
    await catalog.refresh()
    await catalog.refresh()
    expect(requests.map(({ headers }) => headers['if-modified-since'])).toEqual([undefined, date])
    expect([pathsOf(catalog), catalog.warnings]).toEqual([[FOCAL], []])
  })

  it.each([
    ['an error', (response: ServerResponse) => response.writeHead(500).end()],
    ['a page', (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>')],
    ['a tree that was cut short', (response: ServerResponse) => response.writeHead(200).end(JSON.stringify({
      tree: [{ path: SLES }], truncated: true
    }))],
    ['nothing', (response: ServerResponse) => response.writeHead(200).end()],
    ['half of it', (response: ServerResponse) => { response.writeHead(200, { 'content-length': 100 }).write(SLES); response.destroy() }]
  ])('that becomes %s leaves what was listed before, and says so', async (_, fail) => {
    let isBroken = false
    const { feed } = await origin((_request, response) => { if (isBroken) fail(response); else response.writeHead(200).end(FOCAL) })
    const catalog = await start([feed()])
    await catalog.refresh()
    isBroken = true
    await catalog.refresh()
    expect(pathsOf(catalog)).toEqual([FOCAL])
    expect(catalog.warnings).toHaveLength(1)
    expect(JSON.stringify(catalog.warnings)).toMatch(/what was listed before still counts/)
    expect(JSON.stringify(catalog.warnings)).not.toMatch(/secret/)
  })

  it('is known from its last good copy where its origin is gone, unless that was damaged', async () => {
    const { feed, copyPath, stop } = await origin((_request, response) => response.writeHead(200).end(`${FOCAL}\n${BIONIC}\n`))
    const first = await start([feed()])
    await first.refresh()
    await first.close()
    await stop()
    expect(pathsOf(await start([feed()]))).toEqual([BIONIC, FOCAL])
    await writeFile(copyPath, (await readFile(copyPath, 'utf8')).replace('18.04', '18.05'))
    expect(pathsOf(await start([feed()]))).toEqual([])
    for (const text of ['', '{', 'null\n', '{}\n']) {
      await writeFile(copyPath, text)
      expect(pathsOf(await start([feed()]))).toEqual([])
    }
  })

  it('that cannot be had is looked at again by itself', async () => {
    let asked = 0
    const { feed } = await origin((
      _request, response
    ) => { if (++asked < 3) response.writeHead(503).end(); else response.writeHead(200).end(FOCAL) })
    const catalog = await start([feed()], { retryMs: 5 })
    await expect.poll(() => pathsOf(catalog)).toEqual([FOCAL])
    expect(asked).toBe(3)
  })
})

describe('a look at what a source lists', () => {
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  it.each([[0, 0.9], [1 - 2 ** -53, 1.1]])('comes a little sooner or later than every six hours, as chance says: %d', async (
    chance, share
  ) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    vi.spyOn(Math, 'random').mockReturnValue(chance)
    let looks = 0
    const feed: Feed = {
      source: 'btfhub', what: 'a list', restore: async () => undefined, close: async () => {}, load: async () => [`${++looks}.btf.tar.xz`]
    }
    await start([feed])
    await expect.poll(() => vi.getTimerCount()).toBe(1) // the next look is planned once this one is done
    await vi.advanceTimersByTimeAsync(share * 6 * 3_600_000 - 1000)
    expect(looks).toBe(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(looks).toBe(2)
  })
})

describe('a listing in a file', () => {
  it('is known from the start, and read again only when it has changed', async () => {
    const path = join(await temporaryFolder(), 'list.txt')
    await writeFile(path, `${FOCAL}\n`)
    const catalog = await start([createFileFeed(path, 'btfhub')])
    const before = catalog.kernels()
    expect(pathsOf(catalog)).toEqual([FOCAL])
    await catalog.refresh()
    expect(catalog.kernels()).toBe(before)
    await writeFile(path, `${FOCAL}\n${BIONIC}\n`)
    await catalog.refresh()
    expect(pathsOf(catalog)).toEqual([BIONIC, FOCAL])
    await rm(path)
    await catalog.refresh()
    expect(pathsOf(catalog)).toEqual([BIONIC, FOCAL])
    expect(catalog.warnings).toMatchObject([{ listing: path, error: expect.stringContaining('ENOENT') }])
  })

  it.each(['missing', 'folder', '/dev/zero'])('that is none (%s) is a warning, and no list', async what => {
    const folder = await temporaryFolder()
    const path = what.startsWith('/') ? what : join(folder, what)
    if (what === 'folder') await mkdir(path)
    const catalog = await start([createFileFeed(path, 'btfhub')])
    expect([pathsOf(catalog), catalog.warnings.length > 0]).toEqual([[], true])
  })
})

describe('a directory', () => {
  it('is listed, packed and raw files alike, without the junk and the links that an archive has', async () => {
    const root = await temporaryFolder()
    const elsewhere = await temporaryFolder()
    for (const path of [
      FOCAL, SLES, 'README.md', '1/x86_64/4.14.97-74.72.amzn1.x86_64.btf.tar.xz', 'centos/7/nobpf/x86_64/a.btf.tar.xz',
      'ubuntu/20.04/x86_64/notes.txt', 'ubuntu/20.04/x86_64/.tmp', 'own/1/x86_64/1.2.3.btf', '.git/a/b/c.btf.tar.xz'
    ]) {
      await mkdir(join(root, path, '..'), { recursive: true })
      await writeFile(join(root, path), '')
    }
    await mkdir(join(root, 'ubuntu/20.04/x86_64/folder.btf.tar.xz'))
    await mkdir(join(root, 'secret/1/x86_64'), { recursive: true })
    await mkdir(join(elsewhere, '2/arm64'), { recursive: true })
    await writeFile(join(elsewhere, '2/arm64/4.5.6.btf.tar.xz'), '')
    await symlink('20.04', join(root, 'ubuntu/focal'))
    await symlink('..', join(root, 'ubuntu/loop'))
    await symlink('nowhere', join(root, 'ubuntu/20.04/x86_64/5.4.0-1-generic.btf.tar.xz'))
    await symlink('5.4.0-100-generic.btf.tar.xz', join(root, 'ubuntu/20.04/x86_64/5.4.0-2-generic.btf.tar.xz'))
    await symlink(elsewhere, join(root, 'mounted'))
    await chmod(join(root, 'secret/1'), 0)
    const catalog = await start([createDirectoryFeed(root, 'directory')])
    await catalog.refresh()
    expect(pathsOf(catalog)).toEqual([
      'mounted/2/arm64/4.5.6.btf.tar.xz', 'own/1/x86_64/1.2.3.btf.tar.xz', SLES, FOCAL, 'ubuntu/20.04/x86_64/5.4.0-2-generic.btf.tar.xz'
    ])
    const before = catalog.kernels()
    await catalog.refresh()
    expect(catalog.kernels()).toBe(before)
    expect(catalog.warnings).toEqual([])
  })

  it('that is not there is a warning', async () => {
    const catalog = await start([createDirectoryFeed('/nonexistent', 'directory')])
    await catalog.refresh()
    expect(catalog.warnings).toMatchObject([{ listing: '/nonexistent' }])
  })
})

describe('the places of a query', () => {
  it('are exactly those that are listed, where any is, and else those that its names prove', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a'), `${FOCAL}\n${SLES}\n`)
    await writeFile(join(folder, 'b'), `${BIONIC}\n`)
    const catalog = await start([createFileFeed(join(folder, 'a'), 'btfhub'), createFileFeed(join(folder, 'b'), 'directory')])
    const paths = (source?: string) => catalog.placesOf(BARE, source).map(({ path }) => path)
    expect(paths()).toEqual([BIONIC, FOCAL])
    expect(paths('btfhub')).toEqual([FOCAL])
    expect(paths('directory')).toEqual([BIONIC])
    expect(catalog.placesOf(parseQuery({ kernelRelease: '5.4.0-101-generic' }))).toHaveLength(4)
    expect(catalog.candidatesOf(parseQuery({ kernelRelease: 'sled/12.3/x86_64/4.4.103-6.33-default' })).map(formatReference)).toEqual([
      'sles/12.3/x86_64/4.4.103-6.33-default'
    ])
  })
})

describe('what is listed by which place', () => {
  const fixed = (source: string, what: string, paths: readonly string[], more: Partial<Feed> = {}): Feed => ({
    source, what, restore: async () => undefined, load: async () => paths, close: async () => {}, ...more
  })

  it('is told after each look: a feed is one place, unless it knows better, and one that cannot be read is none', async () => {
    const places = new Map([['main', [FOCAL]], ['security', []]])
    const catalog = await start([
      fixed('packages', 'package repositories', [FOCAL], { places: () => places }),
      fixed('btfhub', 'list.txt', [BIONIC, FOCAL]),
      fixed('directory', '/nowhere', [], { load: async () => { throw new Error('not there') } })
    ])
    await catalog.refresh()
    let looks = 0
    catalog.onLook(() => { looks++ })
    await catalog.refresh()
    expect(looks).toBe(3)
    expect([...catalog.places()]).toEqual([['packages main', [FOCAL]], ['packages security', []], ['btfhub list.txt', [BIONIC, FOCAL]]])
  })
})

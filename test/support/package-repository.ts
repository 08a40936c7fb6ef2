import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/** An apt repository on loopback as its makers know it, without signatures. Its kernels are test/fixtures/extraction's, under the names that a test gives them. */
export interface PackageRepository {
  readonly url: string
  /** A file for CORELO_PACKAGES in the folder: Debian 12's suite bookworm, and nothing else. */
  writeSettings (folder: string): string
  /** Publishes kernels, beside those of before, from the next look at the index on. */
  publish (...releases: readonly string[]): Promise<void>
  /** Paths that were asked for, in their order. */
  readonly requests: string[]
  /** When set, answers in the place of the files where it says true. The file comes when it has said something else. */
  intercept: ((request: IncomingMessage, response: ServerResponse, path: string) => boolean | Promise<boolean>) | undefined
  close (): Promise<void>
}

/** What the fixture's banner says. Other releases of the same length take its place. */
const FIXTURE_RELEASE = '6.1.0-50-amd64'
const FIXTURE = fileURLToPath(new URL('../fixtures/extraction/packed/vmlinux', import.meta.url))
/** Packages below 100 kB have no kernel in them. */
const PADDING = 128 * 1024

export async function startPackageRepository (): Promise<PackageRepository> {
  const files = new Map<string, Buffer>()
  const stanzas: string[] = []
  const requests: string[] = []
  let date = Date.UTC(2026, 10, 1)
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = decodeURIComponent(request.url ?? '/').slice(1)
    requests.push(path)
    if (repository.intercept !== undefined && await repository.intercept(request, response, path)) return
    const file = files.get(path)
    const etag = file === undefined ? '' : `"${hashOf(file)}"`
    if (file === undefined) response.writeHead(404).end()
    else if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(200, { 'content-length': file.length, etag }).end(file)
  }
  const server = createServer((request, response) => { answer(request, response).catch((error: unknown) => response.destroy(error as Error)) })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const writeIndex = (): void => {
    date += 1000
    const packages = gzipSync(stanzas.join('\n'))
    const path = 'main/binary-amd64/Packages.gz'
    files.set(`dists/bookworm/${path}`, packages)
    files.set('dists/bookworm/InRelease', Buffer.from([
      'Suite: oldstable', 'Codename: bookworm', `Date: ${new Date(date).toUTCString()}`, 'SHA256:', ` ${hashOf(packages)} ${packages.length} ${path}`, ''
    ].join('\n')))
  }
  writeIndex()

  const repository: PackageRepository = {
    url,
    requests,
    intercept: undefined,
    writeSettings (folder) {
      const path = join(folder, 'repositories.yaml')
      writeFileSync(path, `repositories: [{ preset: debian, mirror: "${url}", suites: [bookworm], arches: [amd64], unsigned: true }]\n`)
      return path
    },
    async publish (...releases) {
      for (const release of releases) {
        const deb = await makeDeb(release)
        const path = `pool/linux-image-${release}.deb`
        files.set(path, deb)
        stanzas.push(`Package: linux-image-${release}\nVersion: 6.1.${stanzas.length + 1}-1\nArchitecture: amd64\nFilename: ${path}\nSize: ${deb.length}\nSHA256: ${hashOf(deb)}\n`)
      }
      writeIndex()
    },
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
  return repository
}

async function makeDeb (release: string): Promise<Buffer> {
  if (release.length !== FIXTURE_RELEASE.length) throw new Error(`${release} is not as long as ${FIXTURE_RELEASE}`)
  const vmlinux = Buffer.from(readFileSync(FIXTURE).toString('latin1').replaceAll(FIXTURE_RELEASE, release), 'latin1')
  const data = pack()
  data.entry({ name: `./boot/System.map-${release}` }, Buffer.alloc(PADDING))
  data.entry({ name: `./boot/vmlinuz-${release}` }, vmlinux)
  data.finalize()
  const control = pack()
  control.entry({ name: './control' }, `Package: linux-image-${release}\nArchitecture: amd64\n`)
  control.finalize()
  const members: Array<readonly [string, Buffer]> = [['debian-binary', Buffer.from('2.0\n')], ['control.tar', await buffer(control)], ['data.tar', await buffer(data)]]
  return Buffer.concat([Buffer.from('!<arch>\n'), ...members.flatMap(([name, bytes]) => [
    Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`),
    bytes, Buffer.alloc(bytes.length % 2, '\n')
  ])])
}

function hashOf (bytes: Buffer): string { return createHash('sha256').update(bytes).digest('hex') }

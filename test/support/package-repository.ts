import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/**
 * An apt repository on loopback as its makers know it, without signatures. Its kernels are test/fixtures/extraction's, under the names that
 * a test gives them.
 */
export interface PackageRepository {
  readonly url: string
  /** A file for CORELO_PACKAGES in the folder: Debian 12's suite bookworm, and nothing else. */
  writeSettings (folder: string): string
  /** Publishes kernels, beside those of before, from the next look at the index on. */
  publish (...releases: readonly string[]): Promise<void>
  /** The same of one build of a release, of which there may be several. */
  publishBuild (release: string, build: PackagedBuild): Promise<void>
  /** A build is not listed any more, and its package is gone. */
  withdrawBuild (release: string, version: string): void
  /** What is there now, by its path. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Paths that were asked for, in their order. */
  readonly requests: string[]
  /** When set, answers in the place of the files where it says true. The file comes when it has said something else. */
  intercept: ((request: IncomingMessage, response: ServerResponse, path: string) => boolean | Promise<boolean>) | undefined
  close (): Promise<void>
}

export interface PackagedBuild {
  /** Of the package, and in the kernel's `uname -v`: as long as 6.1.176-1. */
  readonly version: string
  /** Whether a member of a struct has another name than in the fixture. */
  readonly hasOtherTypes?: boolean
  /** Files of modules, by their names. */
  readonly modules?: Readonly<Record<string, Uint8Array>>
}

/** What the fixture's banner says. Others of the same length take the place of each. */
const FIXTURE_RELEASE = '6.1.0-50-amd64'
const FIXTURE_VERSION = '6.1.176-1'

/** `uname -v` of a build. */
export function kernelVersionOf (version: string): string { return `#1 SMP PREEMPT_DYNAMIC Debian ${version} (2026-07-02)` }

/** BTF, or a file that has it, with another name of a member. */
export function withOtherTypes (bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('state\0tasks\0', 'stats\0tasks\0'), 'latin1')
}

const FIXTURE = fileURLToPath(new URL('../fixtures/extraction/packed/vmlinux', import.meta.url))
/** Packages below 100 kB have no kernel in them. */
const PADDING = 128 * 1024

export async function startPackageRepository (): Promise<PackageRepository> {
  const files = new Map<string, Buffer>()
  const stanzas = new Map<string, string>()
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
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const writeIndex = (): void => {
    date += 1000
    const packages = gzipSync([...stanzas.values()].join('\n'))
    const path = 'main/binary-amd64/Packages.gz'
    files.set(`dists/bookworm/${path}`, packages)
    files.set('dists/bookworm/InRelease', Buffer.from([
      'Suite: oldstable', 'Codename: bookworm', `Date: ${new Date(date).toUTCString()}`, 'SHA256:',
      ` ${hashOf(packages)} ${packages.length} ${path}`, ''
    ].join('\n')))
  }
  writeIndex()
  const add = (path: string, { release, version, deb }: {
    readonly release: string
    readonly version: string
    readonly deb: Buffer
  }): void => {
    files.set(path, deb)
    stanzas.set(
      path,
      `Package: linux-image-${release}\nVersion: ${version}\nArchitecture: amd64\nFilename: ${path}\nSize: ${deb.length}\n` +
        `SHA256: ${hashOf(deb)}\n`
    )
  }
  const pathOf = (release: string, version: string): string => `pool/linux-image-${release}_${version}.deb`

  const repository: PackageRepository = {
    url,
    files,
    requests,
    intercept: undefined,
    writeSettings (folder) {
      const path = join(folder, 'repositories.yaml')
      writeFileSync(path, `repositories: [{ preset: debian, mirror: "${url}", suites: [bookworm], arches: [amd64], unsigned: true }]\n`)
      return path
    },
    async publish (...releases) {
      for (const release of releases) {
        add(`pool/linux-image-${release}.deb`, {
          release, version: `6.1.${stanzas.size + 1}-1`, deb: await makeDeb(release, { version: FIXTURE_VERSION })
        })
      }
      writeIndex()
    },
    async publishBuild (release, build) {
      add(pathOf(release, build.version), { release, version: build.version, deb: await makeDeb(release, build) })
      writeIndex()
    },
    withdrawBuild (release, version) {
      const path = pathOf(release, version)
      stanzas.delete(path)
      files.delete(path)
      writeIndex()
    },
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
  return repository
}

async function makeDeb (release: string, { version, hasOtherTypes = false, modules = {} }: PackagedBuild): Promise<Buffer> {
  if (release.length !== FIXTURE_RELEASE.length) throw new Error(`${release} is not as long as ${FIXTURE_RELEASE}`)
  if (version.length !== FIXTURE_VERSION.length) throw new Error(`${version} is not as long as ${FIXTURE_VERSION}`)
  const text = readFileSync(FIXTURE).toString('latin1').replaceAll(FIXTURE_RELEASE, release).replaceAll(FIXTURE_VERSION, version)
  const vmlinux = hasOtherTypes ? withOtherTypes(Buffer.from(text, 'latin1')) : Buffer.from(text, 'latin1')
  const data = pack()
  data.entry({ name: `./boot/System.map-${release}` }, Buffer.alloc(PADDING))
  data.entry({ name: `./boot/vmlinuz-${release}` }, vmlinux)
  for (const [name, bytes] of Object.entries(modules)) {
    data.entry(
      { name: `./lib/modules/${release}/kernel/${name}.ko` }, Buffer.from(bytes)
    )
  }
  data.finalize()
  const control = pack()
  control.entry({ name: './control' }, `Package: linux-image-${release}\nArchitecture: amd64\n`)
  control.finalize()
  const members: Array<readonly [string, Buffer]> = [
    ['debian-binary', Buffer.from('2.0\n')], ['control.tar', await buffer(control)], ['data.tar', await buffer(data)]
  ]
  return Buffer.concat([Buffer.from('!<arch>\n'), ...members.flatMap(([name, bytes]) => [
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`
    ),
    bytes, Buffer.alloc(bytes.length % 2, '\n')
  ])])
}

function hashOf (bytes: Buffer): string { return createHash('sha256').update(bytes).digest('hex') }

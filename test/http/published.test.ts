import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { aptFiles } from '../support/apt-repository.js'
import { makeAuthority } from '../support/certificates.js'
import { fooBtf, startService, temporaryFolder } from '../unit/service/lab.js'
import { startAppWith } from './harness.js'

const FILES = aptFiles('bookworm', 'amd64', [
  { name: 'linux-image-6.1.0-57-amd64', version: '6.1.192-3', bytes: 70_591_024 },
  { name: 'linux-image-6.1.0-56-amd64', version: '6.1.190-1', bytes: 70_000_000 },
  { name: 'linux-image-6.1.0-57-amd64-dbg', version: '6.1.192-3', bytes: 900_000_000 },
  { name: 'linux-image-amd64', version: '6.1.192-3', bytes: 1500 }
])

/** Serves the repository to whom it lets in. */
function repository (letsIn: (request: IncomingMessage) => boolean = () => true): RequestListener {
  return (request, response) => {
    const text = FILES.get(request.url ?? '')
    if (!letsIn(request)) response.writeHead(401).end()
    else if (text === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': Buffer.byteLength(text) }).end(text)
  }
}

async function listen (server: Server): Promise<number> {
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  onTestFinished(() => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  return (server.address() as AddressInfo).port
}

/** The service over a socket, with one entry of a file of repositories; its folder has what the entry names. */
async function serve (mirror: string, fields = '', folder?: string) {
  return await serveEntry(`{ preset: debian, mirror: "${mirror}", suites: [bookworm], arches: [amd64], unsigned: true${fields} }`, folder)
}

async function serveEntry (entry: string, folder?: string) {
  const place = folder ?? await temporaryFolder()
  const file = join(place, 'repositories.yaml')
  await writeFile(file, `repositories: [${entry}]\n`)
  const service = await startService(await temporaryFolder(), { packages: [file], sources: { fetch: { tries: 1 } } })
  await service.refreshCatalog()
  const { request } = await startAppWith(service)
  const offered = async (): Promise<Array<Record<string, unknown>>> => (await (await request('/kernels?offered=true')).json() as {
    kernels: Array<Record<string, unknown>>
  }).kernels
  return { request, offered, warnings: service.warnings }
}

describe('GET /kernels?offered=true', () => {
  it('lists every kernel that the repositories publish, with its package, those that are held as held, and nothing else', async () => {
    const { request, offered } = await serve(`http://127.0.0.1:${await listen(createServer(repository()))}`)
    for (const name of ['debian/12/x86_64/6.1.0-57-amd64', 'debian/12/x86_64/6.1.0-1-amd64']) {
      const put = await request(`/kernels/${name}/btf`, {
        method: 'PUT', body: fooBtf(), headers: { 'content-type': 'application/octet-stream' }
      })
      expect(put.status).toBe(201)
    }
    expect(await offered()).toMatchObject([
      {
        reference: 'debian/12/x86_64/6.1.0-56-amd64',
        state: 'offered',
        sources: ['packages'],
        published: {
          package: 'linux-image-6.1.0-56-amd64', version: '6.1.190-1', bytes: 70_000_000
        }
      },
      {
        reference: 'debian/12/x86_64/6.1.0-57-amd64',
        state: 'held',
        sources: ['upload', 'packages'],
        published: {
          package: 'linux-image-6.1.0-57-amd64', version: '6.1.192-3', bytes: 70_591_024
        }
      }
    ])
  })

  it('says when each kernel was built, where the index does', async () => {
    const primary = `<metadata xmlns="http://linux.duke.edu/metadata/common" packages="1">
<package type="rpm"><name>kernel-core</name><arch>x86_64</arch>
<version epoch="0" ver="6.9.7" rel="200.fc40"/><checksum type="sha256" pkgid="YES">${'ab'.repeat(32)}</checksum>
<time file="1719600000" build="1719500000"/><size package="18123456" installed="70000000" archive="70100000"/>
<location href="Packages/k/kernel-core-6.9.7-200.fc40.x86_64.rpm"/></package></metadata>`
    const repomd = `<repomd><revision>1719600000</revision><data type="primary">
<checksum type="sha256">${createHash('sha256').update(primary).digest('hex')}</checksum>
<location href="repodata/primary.xml"/><size>${primary.length}</size></data></repomd>`
    const files: Readonly<Record<string, string | undefined>> = { '/repodata/repomd.xml': repomd, '/repodata/primary.xml': primary }
    const port = await listen(createServer((request, response) => {
      response.writeHead(files[request.url ?? ''] === undefined ? 404 : 200).end(files[request.url ?? ''])
    }))
    const { offered } = await serveEntry(
      `{ type: rpm, name: mine, distro: fedora, distro_version: "40", url: "http://127.0.0.1:${port}", arches: [x86_64], unsigned: true }`
    )
    expect(await offered()).toMatchObject([{
      reference: 'fedora/40/x86_64/6.9.7-200.fc40.x86_64',
      state: 'offered',
      published: {
        package: 'kernel-core', version: '6.9.7-200.fc40', bytes: 18_123_456, built_at: '2024-06-27T14:53:20.000Z'
      }
    }])
  })

  it('is refused where it is neither true nor false', async () => {
    const { request } = await serve(`http://127.0.0.1:${await listen(createServer(repository()))}`)
    expect((await request('/kernels?offered=perhaps')).status).toBe(400)
    expect((await request('/kernels?offered=true&offered=true')).status).toBe(400)
  })
})

describe('a repository that lets only its customers in', () => {
  const basic = `Basic ${Buffer.from('reader@example.org:s3cr:et').toString('base64')}`
  const letsIn = (request: IncomingMessage): boolean => request.headers.authorization === basic

  it('is read with user and password, which no answer and no warning has', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'password'), 's3cr:et\n')
    const port = await listen(createServer(repository(letsIn)))
    const { request, offered, warnings } = await serve(
      `http://127.0.0.1:${port}`, ', username: reader@example.org, password_file: password', folder
    )
    expect(await offered()).toHaveLength(2)
    const answer = await (await request('/kernels/debian/12/x86_64/6.1.0-57-amd64/btf', { headers: { prefer: 'wait=60' } })).text()
    expect(answer).toContain(`http://127.0.0.1:${port}/pool/main/l/linux/linux-image-6.1.0-57-amd64_6.1.192-3_amd64.deb answered 404`)
    expect(`${answer} ${warnings.join('\n')}`).not.toMatch(/s3cr|reader/)
  })

  it('is refused by name without them', async () => {
    const { offered, warnings } = await serve(`http://127.0.0.1:${await listen(createServer(repository(letsIn)))}`)
    expect(await offered()).toEqual([])
    expect(warnings.join('\n')).toMatch(/InRelease answered 401/)
  })

  it('does not send them on where the repository redirects', async () => {
    const seen: Array<string | undefined> = []
    const other = await listen(createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(404).end()
    }))
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'password'), 's3cr:et')
    const port = await listen(createServer((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${other}/InRelease` }).end()
    }))
    const { offered } = await serve(`http://127.0.0.1:${port}`, ', username: reader@example.org, password_file: password', folder)
    expect(await offered()).toEqual([])
    expect(seen.filter(header => header !== undefined)).toEqual([])
  })

  it('is read with a certificate of the client, and not without', async () => {
    const folder = await temporaryFolder()
    const { caFile, cert, key } = makeAuthority(folder)
    const isKnown = (request: IncomingMessage): boolean => (request.socket as TLSSocket).authorized
    const port = await listen(
      createSecureServer({ cert, key, ca: readFileSync(caFile, 'utf8'), requestCert: true, rejectUnauthorized: false }, repository(isKnown))
    )
    // Any certificate of that authority will do.
    await writeFile(join(folder, 'client.pem'), cert)
    await writeFile(join(folder, 'client.key'), key)
    const known = await serve(`https://127.0.0.1:${port}`, ', ca: ca.pem, client_certificate: client.pem, client_key: client.key', folder)
    expect(await known.offered()).toHaveLength(2)
    const unknown = await serve(`https://127.0.0.1:${port}`, ', ca: ca.pem', folder)
    expect(await unknown.offered()).toEqual([])
    expect(unknown.warnings.join('\n')).toMatch(/InRelease answered 401/)
  })
})

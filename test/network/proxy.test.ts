import { spawn } from 'node:child_process'
import { createServer as createHttpServer, request as forward, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { cleanUpAfterAll, createNode, REFERENCE, runOnce, startService, temporaryFolder, type Service } from '../agent/support.js'
import { coreloText, EXEC, SAMPLE } from '../cli/corelo.js'
import { makeAuthority, type PrivateAuthority } from '../support/certificates.js'
import { describeLab, NEEDS } from '../support/lab.js'

const ABSENT: RequestListener = (_, response) => { response.writeHead(404).end() }
const UNKNOWN_KERNEL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

interface Server { readonly url: string, readonly host: string }

function bucketAt ({ url }: Server): Record<string, string> {
  return {
    CORELO_SHARED_STORE: 's3://fleet/corelo',
    AWS_ENDPOINT_URL_S3: url,
    AWS_REGION: 'eu-test-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret'
  }
}

describeLab('behind tinyproxy, among servers of a private authority,', [NEEDS.tool('tinyproxy'), NEEDS.tool('openssl')], () => {
  const cleanup = cleanUpAfterAll()
  let authority: PrivateAuthority
  let proxy: { readonly url: string, log (): string }
  let env: Record<string, string>
  let service: Service
  let front: Server
  let origins: Readonly<Record<'archive' | 'upstream' | 'bucket', Server>>

  async function listen (listener: RequestListener, isTls = true): Promise<Server> {
    const server = isTls ? createTlsServer({ cert: authority.cert, key: authority.key }, listener) : createHttpServer(listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanup.add(() => {
      server.closeAllConnections()
      server.close()
    })
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    return { url: `${isTls ? 'https' : 'http'}://${host}`, host }
  }

  /** Lines of the proxy's log on requests for one host. */
  const asked = ({ host }: Server): string[] => proxy.log().split('\n').filter(line => line.includes('Request') && line.includes(host))

  beforeAll(async () => {
    const folder = temporaryFolder(cleanup)
    authority = makeAuthority(folder)
    proxy = await startTinyproxy(folder)
    env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, CORELO_CA_FILE: authority.caFile }
    origins = { archive: await listen(ABSENT), upstream: await listen(ABSENT), bucket: await listen(ABSENT) }
    service = await startService(cleanup, {
      settings: {
        ...env,
        CORELO_BTFHUB_URL: origins.archive.url,
        CORELO_UPSTREAM: origins.upstream.url,
        ...bucketAt(origins.bucket)
      }
    })
  })
  beforeEach(async () => {
    front = await listen((incoming, response) => {
      const onward = forward(`${service.url}${incoming.url ?? ''}`, { method: incoming.method, headers: incoming.headers }, answer => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      })
      onward.on('error', () => response.destroy())
      incoming.pipe(onward)
    })
  })

  async function startTinyproxy (folder: string): Promise<{ readonly url: string, log (): string }> {
    const port = await freePort()
    const [config, log] = [join(folder, 'tinyproxy.conf'), join(folder, 'tinyproxy.log')]
    writeFileSync(
      config, `Port ${port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Connect\nLogFile "${log}"\n`
    )
    const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' })
    const ended = once(child, 'close')
    cleanup.add(async () => {
      child.kill()
      await ended
    })
    const url = `http://127.0.0.1:${port}`
    while (await fetch(url).then(() => false, () => true)) await new Promise(resolve => setTimeout(resolve, 20))
    return { url, log: () => existsSync(log) ? readFileSync(log, 'utf8') : '' }
  }

  it('a service asks its sources and its bucket through the proxy', async () => {
    const form = new FormData()
    form.append('object', new Blob([readFileSync(EXEC)]), 'exec.bpf.o')
    form.append('kernel_release', UNKNOWN_KERNEL)
    const response = await fetch(`${service.url}/relocate`, { method: 'POST', body: form })
    expect(response.status, await response.clone().text()).toBe(404)
    expect(asked(origins.archive).length).toBeGreaterThan(0)
    expect(asked(origins.upstream).length).toBeGreaterThan(0)
    expect(asked(origins.bucket).length).toBeGreaterThan(0)
    for (const origin of Object.values(origins)) expect(asked(origin)[0]).toContain('CONNECT')
  })

  it('a service asks a bucket without TLS through the proxy by whole addresses', async () => {
    const bucket = await listen(ABSENT, false)
    const plain = await startService(cleanup, { hasSample: false, settings: { ...env, ...bucketAt(bucket) } })
    await fetch(`${plain.url}/kernels/${UNKNOWN_KERNEL}`)
    await expect.poll(() => asked(bucket)[0]).toContain(' http://')
  })

  it('a service asks its package repositories and what has their past through the proxy', async () => {
    const places = {
      apt: await listen(ABSENT),
      rpm: await listen(ABSENT),
      list: await listen(ABSENT),
      snapshot: await listen(ABSENT),
      launchpad: await listen(ABSENT)
    }
    const file = join(temporaryFolder(cleanup), 'repositories.yaml')
    writeFileSync(file, `repositories:
  - { preset: debian, mirror: "${places.apt.url}/debian", snapshot: "${places.snapshot.url}", suites: [bookworm], arches: [amd64] }
  - { preset: ubuntu, mirror: "${places.apt.url}/ubuntu", launchpad: "${places.launchpad.url}", snapshot: "${places.snapshot.url}",
      suites: [noble], arches: [amd64] }
  - { type: rpm, name: mine, distro: rocky, distro_version: "9", url: "${places.rpm.url}", arches: [x86_64], unsigned: true }
  - { type: rpm, name: lists, distro: amzn, distro_version: "2023", mirror_list: "${places.list.url}/mirror.list",
      arches: [x86_64], unsigned: true }
`)
    const packaged = await startService(cleanup, { hasSample: false, settings: { ...env, CORELO_PACKAGES: file } })
    for (const kernel of [
      'debian/12/x86_64/6.1.0-1-amd64', 'ubuntu/24.04/x86_64/6.8.0-1-generic', 'rocky/9/x86_64/5.14.0-1.el9.x86_64',
      'amzn/2023/x86_64/6.1.1-1.amzn2023.x86_64'
    ]) {
      const response = await fetch(`${packaged.url}/kernels/${kernel}`, { headers: { prefer: 'wait=60' } })
      expect(response.status, await response.text()).toBeGreaterThanOrEqual(404)
    }
    for (const [name, place] of Object.entries(places)) expect([name, asked(place)[0]]).toEqual([name, expect.stringContaining('CONNECT')])
  })

  it('a service tells its webhook through the proxy', async () => {
    const folder = temporaryFolder(cleanup)
    const told: string[] = []
    const receiver = await listen((request, response) => {
      told.push(String(request.headers['webhook-id']))
      request.resume().on('end', () => { response.writeHead(204).end() })
    })
    const listing = join(folder, 'listing')
    const secret = join(folder, 'secret')
    writeFileSync(listing, 'debian/12/x86_64/6.1.0-1-amd64.btf.tar.xz\n')
    writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`)
    const watching = await startService(cleanup, {
      hasSample: false,
      settings: {
        ...env,
        CORELO_BTFHUB_URL: origins.archive.url,
        CORELO_CATALOG: listing,
        CORELO_CATALOG_MS: '1000',
        CORELO_WEBHOOK: receiver.url,
        CORELO_WEBHOOK_SECRET_FILE: secret
      }
    })
    await expect.poll(async () => await (await fetch(`${watching.url}/kernels?offered=true`)).text()).toContain('6.1.0-1-amd64')
    writeFileSync(listing, 'debian/12/x86_64/6.1.0-1-amd64.btf.tar.xz\ndebian/12/x86_64/6.1.0-2-amd64.btf.tar.xz\n')
    await expect.poll(() => told.length).toBeGreaterThan(0)
    expect(asked(receiver)[0]).toContain('CONNECT')
  })

  it('a service asks for the keys of the issuer through the proxy', async () => {
    const issuer = await listen((_, response) => { response.end('{"keys":[]}') })
    const guarded = await startService(cleanup, {
      hasSample: false,
      settings: {
        ...env,
        CORELO_AUTH: 'jwt',
        CORELO_JWKS_URL: `${issuer.url}/jwks`,
        CORELO_JWT_ISSUER: 'https://issuer.example',
        CORELO_JWT_AUDIENCE: 'corelo'
      }
    })
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = `${encode({ alg: 'EdDSA', kid: 'one' })}.${encode({ iss: 'https://issuer.example', aud: 'corelo' })}.${'A'.repeat(86)}`
    expect((await fetch(`${guarded.url}/kernels`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
    expect(asked(issuer).length).toBeGreaterThan(0)
  })

  it('an agent asks the service through the proxy, and what it gets verifies', async () => {
    const node = createNode(cleanup, [EXEC])
    const run = await runOnce(node, front.url, { ...env, CORELO_AGENT_KEYS: service.keys })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
    expect(asked(front).length).toBeGreaterThan(0)
  })

  it('an agent has its keys by their address through the proxy', async () => {
    const keys = await listen((_, response) => { response.end(readFileSync(service.keys)) })
    const node = createNode(cleanup, [EXEC])
    const run = await runOnce(node, front.url, { ...env, CORELO_AGENT_KEYS: `${keys.url}/keys.json` })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(asked(keys)[0]).toContain('CONNECT')
  })

  it('the command asks the service through the proxy, and for keys', async () => {
    const out = join(temporaryFolder(cleanup), 'out.o')
    const run = await coreloText(['relocate', EXEC, '--kernel', REFERENCE, '--server', front.url, '--keys', service.keys, '-o', out], env)
    expect(run.code, run.stderr).toBe(0)
    const after = asked(front).length
    expect(after).toBeGreaterThan(0)
    const shown = await coreloText(['keys', 'show', '--server', front.url], env)
    const listed = await coreloText(['btf', 'list', '--server', front.url], env)
    expect([shown.code, listed.code], `${shown.stderr}${listed.stderr}`).toEqual([0, 0])
    expect(asked(front).length).toBeGreaterThanOrEqual(after + 2)
  })

  it.each([
    ['checks with', ['check', EXEC, '--kernels', REFERENCE], 0],
    [
      'imports into',
      ['btf', 'import', SAMPLE, '--release', '6.1.0-sample', '--arch', 'x86_64', '--distro', 'sample', '--distro-version', '2'], 0
    ],
    ['asks what is offered of', ['btf', 'sync', REFERENCE], 3]
  ])('the command %s the service through the proxy', async (_what, args, code) => {
    const run = await coreloText([...args, '--server', front.url], env)
    expect(run.code, run.stderr).toBe(code)
    expect(asked(front)[0]).toContain('CONNECT')
  })

  it('a service has the listing of its archive through the proxy', async () => {
    const archive = await listen((_, response) => { response.end('debian/12/x86_64/6.1.0-1-amd64.btf.tar.xz\n') })
    const listing = await startService(
      cleanup, { hasSample: false, settings: { ...env, CORELO_BTFHUB_URL: archive.url, CORELO_CATALOG: `${archive.url}/list.txt` } }
    )
    await expect.poll(async () => await (await fetch(`${listing.url}/kernels?offered=true`)).text()).toContain('6.1.0-1-amd64')
    expect(asked(archive)[0]).toContain('CONNECT')
  })

  it('the command asks package repositories through the proxy', async () => {
    const mirror = await listen(ABSENT)
    const folder = temporaryFolder(cleanup)
    const file = join(folder, 'repositories.yaml')
    writeFileSync(file, `repositories: [{ preset: debian, mirror: "${mirror.url}/debian", suites: [bookworm], arches: [amd64] }]\n`)
    const run = await coreloText(['btf', 'sync', 'debian/12/x86_64/*', '--packages', file, '--cache-dir', join(folder, 'cache')], env)
    expect(run).toMatchObject({ code: 3, stderr: expect.stringContaining(`${mirror.url}/debian/dists/bookworm/Release answered 404`) })
    expect(asked(mirror)[0]).toContain('CONNECT')
  })

  it('NO_PROXY is asked directly, by both', async () => {
    const direct = { ...env, NO_PROXY: front.host }
    const run = await coreloText(['relocate', EXEC, '--kernel', REFERENCE, '--server', front.url, '--json'], direct)
    expect(run.code, run.stderr).toBe(0)
    const node = createNode(cleanup, [EXEC])
    expect((await runOnce(node, front.url, { ...direct, CORELO_AGENT_KEYS: service.keys })).code).toBe(0)
    expect(asked(front)).toEqual([])
  })

  it('without the authority, a command and an agent say what to set', async () => {
    const other = makeAuthority(temporaryFolder(cleanup)).caFile
    for (const [name, given] of Object.entries({ none: '', other })) {
      const run = await coreloText(
        ['relocate', EXEC, '--kernel', REFERENCE, '--server', front.url, '--json'], { ...env, CORELO_CA_FILE: given }
      )
      expect({ name, ...run }).toMatchObject({ code: 3, stderr: expect.stringContaining('set CORELO_CA_FILE or NODE_EXTRA_CA_CERTS') })
    }
    const node = createNode(cleanup, [EXEC])
    const { code, lines } = await runOnce(
      node, front.url, { ...env, CORELO_CA_FILE: other, CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_WAIT_MS: '0' }
    )
    expect({ code, lines: JSON.stringify(lines) }).toMatchObject({ code: 3, lines: expect.stringContaining('set CORELO_CA_FILE') })
  })
})

async function freePort (): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSharedStore, type SharedStore } from '../../../src/kernels/shared-store.js'
import { serializeRecord } from '../../../src/kernels/kernel-record.js'
import { hexOf, sha256, type Sha256 } from '../../../src/store/sha256.js'
import { s3Settings, signV4, startS3Server, type S3Server } from '../../support/s3-server.js'
import { recordOf } from './records.js'

const BYTES = new Uint8Array(randomBytes(100_000))
const HASH = sha256(BYTES)
const keyOf = (hash: Sha256): string => `fleet/corelo/btf/${hexOf(hash).slice(0, 2)}/${hexOf(hash)}`

function open (settings: ReturnType<typeof s3Settings>): { store: SharedStore, warnings: string[] } {
  const warnings: string[] = []
  const store = createSharedStore({ settings, maxBytes: 200_000, retryMs: 100, onWarning: message => { warnings.push(message) } })
  onTestFinished(() => store.close())
  return { store, warnings }
}

async function opened (): Promise<{ server: S3Server, store: SharedStore, warnings: string[] }> {
  const server = await startS3Server()
  return { server, ...open(s3Settings(server)) }
}

describe('the test server', () => {
  // The example "GET Object" of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  it("checks signatures by Amazon's own example", () => {
    expect(signV4({
      method: 'GET',
      url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
      headers: [
        ['host', 'examplebucket.s3.amazonaws.com'],
        ['range', 'bytes=0-9'],
        ['x-amz-content-sha256', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
        ['x-amz-date', '20130524T000000Z']
      ],
      bodyHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      at: '20130524T000000Z',
      region: 'us-east-1',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
    })).toBe('f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41')
  })
})

describe('content in the shared store', () => {
  it('is what was offered', async () => {
    const { server, store } = await opened()
    expect(await store.read('btf', HASH)).toBeUndefined()
    store.offer('btf', HASH, async () => BYTES)
    await expect.poll(() => server.objects.get(keyOf(HASH))).toEqual(Buffer.from(BYTES))
    const read = await store.read('btf', HASH)
    expect(sha256(read ?? '')).toBe(HASH)
    expect(read?.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(await store.sizeOf('btf', HASH)).toBe(BYTES.length)
    expect(await store.read('object', HASH)).toBeUndefined()
    expect(server.refusals).toEqual([])
  })

  it('is written from shared memory too, and once only', async () => {
    const { server, store } = await opened()
    const shared = new Uint8Array(new SharedArrayBuffer(BYTES.length))
    shared.set(BYTES)
    for (let i = 0; i < 3; i++) store.offer('btf', HASH, async () => shared)
    await expect.poll(() => server.objects.get(keyOf(HASH))).toEqual(Buffer.from(BYTES))
    store.offer('btf', HASH, async () => { throw new Error('it is there already') })
    await expect.poll(() => store.stats()['queued']).toBe(0)
    expect(server.requests.filter(request => request.startsWith('PUT'))).toHaveLength(1)
  })

  it('with a wrong byte, or too much of it, counts as absent', async () => {
    const { server, store, warnings } = await opened()
    const damaged = Buffer.from(BYTES)
    damaged[5000] = (damaged[5000] ?? 0) ^ 1
    server.objects.set(keyOf(HASH), damaged)
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(store.stats()['damaged']).toBe(1)
    expect(warnings).toHaveLength(1)
    server.objects.set(keyOf(HASH), Buffer.alloc(200_001))
    expect(await store.read('btf', HASH)).toBeUndefined()
  })

  it('is asked for once by any number who ask at a time', async () => {
    const { server, store } = await opened()
    server.objects.set(keyOf(HASH), Buffer.from(BYTES))
    await Promise.all(Array.from({ length: 100 }, () => store.read('btf', HASH)))
    expect(server.requests).toHaveLength(1)
  })

  it('is dropped, and counted, where more waits than the queue holds', async () => {
    const { server, store } = await opened()
    server.misbehave = () => {} // never answers
    for (let i = 0; i < 500; i++) store.offer('btf', sha256(String(i)), async () => BYTES)
    expect(store.stats()).toMatchObject({ dropped: 80, queued: 420 })
  })
})

describe('a record in the shared store', () => {
  it('is found by its whole reference and by its release, with whatever is in its name', async () => {
    const { server, store } = await opened()
    const release = '5.4.0-42.1~rc1+deb_x'
    store.offerRecord(recordOf(release))
    store.offerRecord(recordOf(release, { reference: { ...recordOf(release).reference, distro: 'debian' } }))
    store.offerRecord(recordOf(`${release}0`))
    await expect.poll(() => server.objects.size).toBe(3)
    expect(await store.find(recordOf(release).reference)).toEqual([recordOf(release)])
    expect((await store.find({ release })).map(({ reference }) => reference.distro)).toEqual(['debian', 'ubuntu'])
    expect(await store.find({ release: '5.4' })).toEqual([])
    expect(server.refusals).toEqual([])
  })

  it('comes after the content that it names, and not without it', async () => {
    const { server, store } = await opened()
    store.offer('btf', HASH, async () => { await new Promise(resolve => setTimeout(resolve, 100)); return BYTES })
    store.offerRecord(recordOf('5.4', { btfSha256: HASH, modules: [] }))
    store.offer('btf', sha256('lost'), async () => undefined)
    store.offerRecord(recordOf('5.5', { btfSha256: sha256('lost'), modules: [] }))
    await expect.poll(() => store.stats()['queued'] === 0 && server.objects.size).toBe(2)
    const puts = server.requests.filter(request => request.startsWith('PUT'))
    expect(puts.map(request => request.split('/')[3])).toEqual(['btf', 'kernels'])
    expect(puts.at(1)).toContain('5.4')
  })

  it('with a wrong byte, or under the name of another kernel, is not believed', async () => {
    const { server, store } = await opened()
    const key = (release: string): string => `fleet/corelo/kernels/${release}/ubuntu/20.04/x86_64.json`
    server.objects.set(key('5.4'), Buffer.from(serializeRecord(recordOf('5.4')).replace('120000', '120001')))
    server.objects.set(key('5.5'), Buffer.from(serializeRecord(recordOf('5.4'))))
    expect(await store.find(recordOf('5.4').reference)).toEqual([])
    expect(await store.find({ release: '5.5' })).toEqual([])
    expect(store.stats()['damaged']).toBeGreaterThanOrEqual(2)
  })

  it('keeps the modules that another replica knows, and is not replaced by an upload', async () => {
    const { server, store } = await opened()
    const key = 'fleet/corelo/kernels/5.4/ubuntu/20.04/x86_64.json'
    const [module] = recordOf('5.4').modules
    if (module === undefined) throw new Error('the record has a module')
    server.objects.set(key, Buffer.from(serializeRecord(recordOf('5.4'))))
    store.offerRecord(recordOf('5.4', { modules: [{ ...module, name: 'xfs' }] }))
    await expect.poll(async () => (await store.find(recordOf('5.4').reference))[0]?.modules.map(({ name }) => name)).toEqual(['xfs', 'nf_conntrack'])
    server.objects.set(key, Buffer.from(serializeRecord(recordOf('5.4', { source: 'btfhub', btfSha256: sha256('theirs') }))))
    store.offerRecord(recordOf('5.4'))
    await expect.poll(() => store.stats()['queued']).toBe(0)
    expect((await store.find(recordOf('5.4').reference))[0]?.btfSha256).toBe(sha256('theirs'))
  })
})

describe('a shared store that is away', () => {
  it('costs one question half a second, and the others nothing, until it is there again', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer(socket => { sockets.add(socket) })
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => { for (const socket of sockets) socket.destroy(); silent.close() })
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const server = await startS3Server()
    const { store, warnings } = open({ ...s3Settings(server), endpoint: `http://127.0.0.1:${port}` })
    const started = performance.now()
    expect(await store.read('btf', HASH)).toBeUndefined()
    const once_ = performance.now() - started
    expect(once_).toBeGreaterThan(400)
    expect(once_).toBeLessThan(1500)
    const again = performance.now()
    for (let i = 0; i < 1000; i++) {
      expect(await store.read('btf', sha256(String(i)))).toBeUndefined()
      expect(await store.find({ release: String(i) })).toEqual([])
    }
    expect(performance.now() - again).toBeLessThan(400)
    expect(store.isAvailable).toBe(false)
    expect(warnings).toHaveLength(1)
  })

  it.each([
    ['is not there', async (server: S3Server) => { await server.stop() }],
    ['answers 500', async (server: S3Server) => { server.misbehave = (_request, response) => { response.writeHead(500).end() } }],
    ['answers 503', async (server: S3Server) => { server.misbehave = (_request, response) => { response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>') } }],
    ['answers 403', async (server: S3Server) => { server.misbehave = (_request, response) => { response.writeHead(403).end() } }],
    ['hangs up', async (server: S3Server) => { server.misbehave = request => { request.socket.destroy() } }],
    ['stops in the middle', async (server: S3Server) => { server.misbehave = (request, response) => { response.writeHead(200, { 'content-length': '1000' }).write('abc'); setTimeout(() => request.socket.destroy(), 20) } }]
  ])('because it %s is empty, and what was offered meanwhile is written when it is back', async (_what, fail) => {
    const { server, store, warnings } = await opened()
    await fail(server)
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(store.isAvailable).toBe(false)
    store.offer('btf', HASH, async () => BYTES)
    store.offerRecord(recordOf('5.4', { btfSha256: HASH }))
    server.misbehave = undefined
    if (server.requests.length === 0) await server.start()
    await expect.poll(() => store.isAvailable, { timeout: 5000 }).toBe(true)
    await expect.poll(() => server.objects.size).toBe(2)
    expect(warnings).toEqual([expect.stringContaining('does not answer'), expect.stringContaining('answers again')])
  })
})

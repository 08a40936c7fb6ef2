import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSharedRecords } from '../../../src/kernels/shared-records.js'
import { createSharedBucket } from '../../../src/store/shared/shared-bucket.js'
import { createSharedContent, type LoadContent, type SharedContent } from '../../../src/store/shared/shared-content.js'
import { serializeRecord, type KernelRecord } from '../../../src/kernels/kernel-record.js'
import type { KernelQuery } from '../../../src/identity/reference.js'
import { hexOf, sha256, type Sha256 } from '../../../src/store/sha256.js'
import { IMPATIENT, s3Settings, signV4, startS3Server, type S3Server } from '../../support/s3-server.js'
import { failure } from '../service/lab.js'
import { recordOf } from './records.js'

const BYTES = new Uint8Array(randomBytes(100_000))
const HASH = sha256(BYTES)
const keyOf = (hash: Sha256): string => `fleet/corelo/btf/${hexOf(hash).slice(0, 2)}/${hexOf(hash)}`

/** The three parts of a shared store. `contents` is what this side has, and can give. */
interface SharedStore extends SharedContent {
  readonly contents: Map<Sha256, LoadContent>
  readonly isAvailable: boolean
  find(query: KernelQuery): Promise<readonly KernelRecord[]>
  offerRecord(record: KernelRecord): void
  stats(): Readonly<Record<string, number>>
  close(): Promise<void>
}

function open (settings: ReturnType<typeof s3Settings>, { trustUploads = true } = {}): { store: SharedStore, warnings: string[] } {
  const warnings: string[] = []
  const onWarning = (message: string): void => { warnings.push(message) }
  const bucket = createSharedBucket({ settings, retryMs: 100, onWarning })
  const content = createSharedContent({ bucket, maxBytes: 200_000, onWarning })
  const contents = new Map<Sha256, LoadContent>()
  const place = (hash: Sha256) => content.offer('btf', hash, async () => await contents.get(hash)?.())
  const records = createSharedRecords({ bucket, place, trustUploads, onWarning, retryMs: 50 })
  const store: SharedStore = {
    ...content,
    contents,
    get isAvailable () { return bucket.isAvailable },
    find: query => records.find(query),
    offerRecord (record) { records.offer(record) },
    stats: () => ({ ...bucket.stats(), waiting: records.waiting }),
    async close () {
      records.close()
      await bucket.close(() => false)
    }
  }
  onTestFinished(() => store.close())
  return { store, warnings }
}

/** A row whose content is its own name, and that `store` has. */
function heldRecord (store: SharedStore, release: string, changes: Partial<KernelRecord> = {}): KernelRecord {
  const record = recordOf(release, changes)
  for (const hash of [record.btfSha256, ...record.modules.map(module => module.btfSha256)]) {
    if (!store.contents.has(hash)) store.contents.set(hash, async () => TEXTS.get(hash))
  }
  return record
}

/** Contents by their hash: those of recordOf are hashes of short texts. */
const TEXTS = new Map(['module', 'theirs', '5.4', '5.5', '5.4.0-42.1~rc1+deb_x', '5.4.0-42.1~rc1+deb_x0'].map(text =>
  [sha256(text), Buffer.from(text)]))

/** Behind. It does not reject. */
function offer (store: SharedStore, ...content: Parameters<SharedContent['offer']>): void { store.offer(...content).catch(() => {}) }

const recordKeys = (server: S3Server): string[] => [...server.objects.keys()].filter(key => key.endsWith('.json'))

async function opened (
  { trustUploads, ...changes }: { readonly trustUploads?: boolean } & Partial<typeof IMPATIENT> = {}
): Promise<{ server: S3Server, store: SharedStore, warnings: string[] }> {
  const server = await startS3Server()
  return { server, ...open({ ...s3Settings(server), ...changes }, trustUploads === undefined ? {} : { trustUploads }) }
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
    offer(store, 'btf', HASH, async () => BYTES)
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
    for (let i = 0; i < 3; i++) offer(store, 'btf', HASH, async () => shared)
    await expect.poll(() => server.objects.get(keyOf(HASH))).toEqual(Buffer.from(BYTES))
    offer(store, 'btf', HASH, async () => { throw new Error('it is there already') })
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

  it('waits as a name, so that a kernel with thousands of modules has room', async () => {
    const { server, store } = await opened(IMPATIENT)
    server.misbehave = () => {} // never answers
    for (let i = 0; i < 5000; i++) offer(store, 'btf', sha256(String(i)), async () => BYTES)
    expect(store.stats()).toMatchObject({ dropped: 0, queued: 5000 })
  })
})

describe('a record in the shared store', () => {
  it('is found by its release, with whatever is in its name', async () => {
    const { server, store } = await opened()
    const release = '5.4.0-42.1~rc1+deb_x'
    const one = heldRecord(store, release)
    const two = heldRecord(store, release, { reference: { ...one.reference, distro: 'debian' }, source: 'btfhub' })
    for (const record of [one, two, heldRecord(store, `${release}0`)]) store.offerRecord(record)
    await expect.poll(() => recordKeys(server)).toHaveLength(3)
    expect(await store.find({ release })).toEqual([two, one])
    expect(await store.find({ release: '5.4' })).toEqual([])
    expect(server.refusals).toEqual([])
  })

  it('comes after the content that it names, and not without it', async () => {
    const { server, store } = await opened()
    store.contents.set(HASH, async () => { await new Promise(resolve => setTimeout(resolve, 100)); return BYTES })
    store.offerRecord(recordOf('5.4', { btfSha256: HASH, modules: [] }))
    store.offerRecord(recordOf('5.5', { btfSha256: sha256('lost'), modules: [] }))
    await expect.poll(() => store.stats()['waiting'] === 0 && server.objects.size).toBe(2)
    const puts = server.requests.filter(request => request.startsWith('PUT'))
    expect(puts.map(request => request.split('/')[3])).toEqual(['btf', 'uploads'])
    expect(puts.at(1)).toContain('5.4')
  })

  it('that names hundreds of modules waits for every one of them, also while the store takes none', async () => {
    const { server, store } = await opened()
    const names = Array.from({ length: 200 }, (_, i) => `module_${i}`)
    for (const name of ['5.4', ...names]) store.contents.set(sha256(name), async () => Buffer.from(name))
    const [module] = recordOf('5.4').modules
    if (module === undefined) throw new Error('the record has a module')
    let refused = 0
    server.misbehave = (request, response) => {
      if (request.method === 'PUT' && ++refused === 100) server.misbehave = undefined // some of them are away for a while
      response.writeHead(request.method === 'PUT' ? 500 : 404).end()
    }
    store.offerRecord(recordOf('5.4', { source: 'import', modules: names.map(name => ({ ...module, name, btfSha256: sha256(name) })) }))
    server.misbehave = undefined
    await expect.poll(() => recordKeys(server)).toHaveLength(1)
    const [record] = await store.find({ release: '5.4' })
    expect(record?.modules).toHaveLength(200)
    for (const { btfSha256 } of record?.modules ?? []) expect(server.objects.has(keyOf(btfSha256))).toBe(true)
  })

  it('with a wrong byte, or under the name of another kernel, makes its release unanswerable', async () => {
    const { server, store } = await opened()
    const key = (release: string): string => `fleet/corelo/kernels/${release}/ubuntu/20.04/x86_64/${hexOf(sha256('5.4'))}.json`
    server.objects.set(key('5.4'), Buffer.from(serializeRecord(recordOf('5.4')).replace('120000', '120001')))
    server.objects.set(key('5.5'), Buffer.from(serializeRecord(recordOf('5.4'))))
    for (const release of ['5.4', '5.5']) await failure('storage_unreadable', store.find({ release }))
    expect(store.stats()['damaged']).toBe(2)
  })

  it('of a version that had one for each name is found too', async () => {
    const { server, store } = await opened()
    server.objects.set('fleet/corelo/kernels/5.4/ubuntu/20.04/x86_64.json', Buffer.from(serializeRecord(recordOf('5.4'))))
    expect(await store.find({ release: '5.4' })).toEqual([recordOf('5.4')])
  })

  it('keeps the modules that another replica knows, and stands beside other content of the name', async () => {
    const { server, store } = await opened()
    const [module] = recordOf('5.4').modules
    if (module === undefined) throw new Error('the record has a module')
    server.objects.set(
      `fleet/corelo/uploads/5.4/ubuntu/20.04/x86_64/${hexOf(sha256('5.4'))}.json`, Buffer.from(serializeRecord(recordOf('5.4')))
    )
    store.offerRecord(heldRecord(store, '5.4', { modules: [{ ...module, name: 'xfs' }] }))
    await expect
      .poll(async () => (await store.find({ release: '5.4' }))[0]?.modules.map(({ name }) => name).sort())
      .toEqual(['nf_conntrack', 'xfs'])
    store.offerRecord(heldRecord(store, '5.4', { source: 'btfhub', btfSha256: sha256('theirs') }))
    await expect.poll(async () => (await store.find({ release: '5.4' })).map(({ source }) => source)).toEqual(['btfhub', 'upload'])
  })

  it('is found among any number of uploads, and of too many that answer is said so', async () => {
    const fill = (server: S3Server, folder: string, source: string, count: number): void => {
      for (let i = 0; i < count; i++) {
        const record = recordOf('5.4', { source, btfSha256: sha256(`${i}`), modules: [] })
        server.objects.set(
          `fleet/corelo/${folder}/5.4/ubuntu/20.04/x86_64/${hexOf(record.btfSha256)}.json`, Buffer.from(serializeRecord(record))
        )
      }
    }
    const { server, store } = await opened({ trustUploads: false })
    fill(server, 'uploads', 'upload', 2500)
    fill(server, 'kernels', 'import', 70)
    expect((await store.find({ release: '5.4' })).filter(({ source }) => source === 'import')).toHaveLength(70)
    const { store: trusting } = open(s3Settings(server), { trustUploads: true })
    expect((await failure('kernel_ambiguous', trusting.find({ release: '5.4' }))).details['limit']).toBe(1000)
    fill(server, 'kernels', 'import', 1001)
    await failure('kernel_ambiguous', store.find({ release: '5.4' }))
  })
})

describe('a shared store that is away', () => {
  it('is waited for once, and the others are answered without a question to it, until it is there again', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer(socket => { sockets.add(socket) })
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => { for (const socket of sockets) socket.destroy(); silent.close() })
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const server = await startS3Server()
    const { store, warnings } = open({ ...s3Settings(server), ...IMPATIENT, endpoint: `http://127.0.0.1:${port}` })
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(sockets.size).toBeGreaterThan(0)
    const waited = sockets.size
    for (let i = 0; i < 1000; i++) {
      expect(await store.read('btf', sha256(String(i)))).toBeUndefined()
      await failure('storage_unreadable', store.find({ release: String(i) }))
    }
    expect(sockets.size - waited).toBeLessThan(20) // looks whether it is back, now and then
    expect(store.isAvailable).toBe(false)
    expect(warnings).toHaveLength(1)
  })

  it.each([
    ['is not there', async (server: S3Server) => { await server.stop() }],
    ['answers 500', async (server: S3Server) => { server.misbehave = (_request, response) => { response.writeHead(500).end() } }],
    ['answers 503', async (server: S3Server) => {
      server.misbehave = (_request, response) => {
        response
          .writeHead(503)
          .end('<Error><Code>SlowDown</Code></Error>')
      }
    }],
    ['answers 403', async (server: S3Server) => { server.misbehave = (_request, response) => { response.writeHead(403).end() } }],
    ['hangs up', async (server: S3Server) => { server.misbehave = request => { request.socket.destroy() } }],
    ['stops in the middle', async (server: S3Server) => {
      server.misbehave = (request, response) => {
        response
          .writeHead(200, { 'content-length': '1000' })
          .write('abc'); setTimeout(() => request.socket.destroy(), 20)
      }
    }]
  ])('because it %s is empty, and what was offered meanwhile is written when it is back', async (_what, fail) => {
    const { server, store, warnings } = await opened()
    await fail(server)
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(store.isAvailable).toBe(false)
    offer(store, 'btf', HASH, async () => BYTES)
    store.contents.set(HASH, async () => BYTES)
    store.offerRecord(recordOf('5.4', { btfSha256: HASH, modules: [] }))
    server.misbehave = undefined
    if (server.requests.length === 0) await server.start()
    await expect.poll(() => store.isAvailable).toBe(true)
    await expect.poll(() => server.objects.size).toBe(2)
    expect(warnings).toEqual([expect.stringContaining('does not answer'), expect.stringContaining('answers again')])
  })
})

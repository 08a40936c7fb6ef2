import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { sha256 } from '../../../src/store/sha256.js'
import { startApp } from '../../http/harness.js'

const KEYS = '/.well-known/corelo-keys.json'
const REFERENCE = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }

async function serve (listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  onTestFinished(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function temporaryFile (text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-client-'))
  onTestFinished(() => { rmSync(folder, { recursive: true, force: true }) })
  const path = join(folder, 'token')
  writeFileSync(path, text)
  return path
}

const digestOf = (text: string): string => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`

describe('a client of the service', () => {
  it('asks by hash or with the bytes, and reads the answer', async () => {
    const { url, service } = await startApp()
    const client = createClient({ server: `${url}/` })
    const object = Buffer.from('an object')
    const answer = await client.relocate({ object, kernel: REFERENCE })
    expect(answer).toMatchObject({ report: { object: { sha256: sha256(object) } }, tag: expect.stringMatching(/^"sha256:/) })
    expect(answer?.sha256).toBe(answer?.report.result.sha256)
    expect(JSON.parse(answer?.reportText ?? '')).toEqual(answer?.report)
    expect(JSON.parse(answer?.attestation ?? '')).toMatchObject({ signatures: expect.any(Array) })
    expect(await client.relocate({ object, kernel: REFERENCE, heldTag: answer?.tag })).toBeUndefined()
    await client.putObject(object)
    expect((await client.relocate({ object: sha256(object), kernel: { release: '5' }, modules: ['xfs'], onUnresolved: 'fail' }))?.sha256)
      .toBe(answer?.sha256)
    expect(service.requests.at(-1)).toMatchObject({
      objectSha256: sha256(object), kernel: { release: '5' }, modules: ['xfs'], onUnresolved: 'fail'
    })
  })

  it('gives BTF, asks for it, and lists kernels and keys', async () => {
    const { url } = await startApp()
    const client = createClient({ server: url })
    const btf = Buffer.from('some BTF')
    expect(await client.hasBtf(sha256(btf))).toBe(false)
    expect(await client.putKernelBtf({ ...REFERENCE, release: '5.4.0-43-generic' }, btf, '#1 SMP a & b')).toEqual({
      created: true, source: 'upload'
    })
    expect(await client.hasBtf(sha256(btf))).toBe(true)
    expect(await client.putKernelBtf(REFERENCE, btf)).toEqual({ created: true, source: 'upload' })
    expect(await client.keys()).toMatchObject({ keys: expect.any(Array) })
    expect((await client.kernels()).kernels.every(({ reference }) => reference.split('/').length === 4)).toBe(true)
  })

  it.each([
    ['is cut short', { 'content-length': '100' }, 'half', /cannot be reached: the connection broke off/],
    ['does not fit its digest', { 'content-digest': digestOf('other') }, '{}', /its digest is another/],
    ['is larger than any good one', {}, ' '.repeat(5 * 1024 * 1024), /answered with more than \d+ bytes/],
    ['is no JSON', { 'content-digest': digestOf('<p>') }, '<p>', /something else than JSON/]
  ])('refuses an answer that %s', async (_what, headers, body, message) => {
    const url = await serve((_request, response) => {
      response.writeHead(200, headers).end(body)
      if ('content-length' in headers) response.socket?.end()
    })
    await expect(createClient({ server: url }).keys()).rejects.toThrow(message)
  })

  it('does not wait longer than it may', async () => {
    const url = await serve(() => {})
    await expect(createClient({ server: url, timeoutMs: 50 }).keys()).rejects.toMatchObject({
      code: 'source_timeout', message: expect.stringContaining('did not answer within 50 ms')
    })
  })

  it('sends the token that is in its file at that moment, and to nobody to whom it is sent on', async () => {
    const seen: Array<string | undefined> = []
    const elsewhere = await serve((request, response) => {
      seen.push(`elsewhere ${String(request.headers.authorization)}`)
      response.end('{}')
    })
    const url = await serve((request: IncomingMessage, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(seen.length === 3 ? 307 : 200, { location: `${elsewhere}${KEYS}` }).end('{}')
    })
    const tokenFile = temporaryFile('one\n')
    const client = createClient({ server: url, tokenFile })
    await client.keys()
    writeFileSync(tokenFile, 'two')
    await client.keys()
    await expect(client.keys()).rejects.toThrow('status 307')
    expect(seen).toEqual(['Bearer one', 'Bearer two', 'Bearer two'])
  })

  it.each([
    ['', 'holds no token'], ['two words', 'holds no token'], ['a\nb', 'holds no token']
  ])('sends nothing where its token file holds %j', async (text, message) => {
    let calls = 0
    const url = await serve((_request, response) => { calls++; response.end('{}') })
    await expect(createClient({ server: url, tokenFile: temporaryFile(text) }).keys()).rejects.toThrow(message)
    await expect(createClient({ server: url, tokenFile: '/nowhere/token' }).keys()).rejects.toMatchObject({
      code: 'unauthorized', message: expect.stringContaining('/nowhere/token cannot be read')
    })
    expect(calls).toBe(0)
  })

  it.each([
    'corelo.example', 'ftp://corelo.example', 'http://me:secret@corelo.example', 'http://corelo.example/?x=1'
  ])('takes %s for no address', server => {
    expect(() => createClient({ server })).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})

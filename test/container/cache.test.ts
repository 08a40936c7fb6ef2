import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProcess, type ServiceProcess } from '../support/service.js'
import { freePort, temporaryFolder } from './runtime.js'

const ROOT = join(import.meta.dirname, '../..')
const OBJECT = readFileSync(join(ROOT, 'examples/exec.bpf.o'))
const BTF = readFileSync(join(ROOT, 'examples/kernels/sample.btf'))

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** nginx with the example's configuration, but for its port, its folder and where corelo is. */
async function startNginx (service: string): Promise<string> {
  const port = await freePort()
  const folder = temporaryFolder()
  const tmp = join(folder, 'tmp')
  mkdirSync(tmp)
  if (process.getuid?.() === 0) for (const path of [folder, tmp]) chownSync(path, 65_534, 65_534)
  const example = readFileSync(join(ROOT, 'deploy/examples/nginx/nginx.conf'), 'utf8')
  const config = example.replace('corelo.corelo.svc:80', new URL(service).host).replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replaceAll('/tmp/', `${tmp}/`)
  expect(config).not.toContain('corelo.svc')
  writeFileSync(join(folder, 'nginx.conf'), `user nobody nogroup;\n${config}`)
  const child = spawn('/usr/sbin/nginx', ['-g', 'daemon off;', '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
  const exited = new Promise<void>(resolve => { child.once('exit', () => { resolve() }) })
  onTestFinished(async () => { child.kill('SIGTERM'); await exited })
  const url = `http://127.0.0.1:${port}`
  await expect.poll(async () => (await fetch(`${url}/nginx-health`).catch(() => undefined))?.status, {
    interval: 50, message: said
  }).toBe(204)
  return url
}

async function relocate (url: string): Promise<Response> {
  const form = new FormData()
  form.set('object', new Blob([OBJECT]))
  form.set('btf_sha256', sha256(BTF))
  return await fetch(`${url}/relocate`, { method: 'POST', body: form })
}

async function teach (url: string): Promise<void> {
  const answer = await fetch(`${url}/kernels/sample/1/x86_64/1.0.0/btf`, {
    method: 'PUT', body: BTF, headers: { 'content-type': 'application/octet-stream' }
  })
  expect(answer.status, await answer.text()).toBe(201)
}

const bytesOf = async (answer: Response): Promise<string> => sha256(new Uint8Array(await answer.arrayBuffer()))

describe('nginx in front of the service', () => {
  let service: ServiceProcess
  let cache: string

  async function startBoth (): Promise<{ readonly path: string, readonly digest: string }> {
    service = await startProcess({})
    cache = await startNginx(service.url)
    await teach(cache)
    const answer = await relocate(cache)
    expect(answer.status).toBe(200)
    return { path: answer.headers.get('content-location') ?? '', digest: await bytesOf(answer) }
  }

  it('passes requests on, and answers for a result by hash from what it keeps, with the same bytes', async () => {
    const { path, digest } = await startBoth()
    expect(path).toMatch(new RegExp(`^/relocated/${sha256(OBJECT)}/${sha256(BTF)}\\?engine=[\\w.-]+$`))
    const first = await fetch(`${cache}${path}`)
    expect([first.status, first.headers.get('x-cache'), await bytesOf(first)]).toEqual([200, 'MISS', digest])
    const second = await fetch(`${cache}${path}`)
    expect([second.status, second.headers.get('x-cache'), await bytesOf(second)]).toEqual([200, 'HIT', digest])
    expect(second.headers.get('content-digest')).toBe(first.headers.get('content-digest'))
    expect(second.headers.get('content-digest')).toBe(`sha-256=:${Buffer.from(digest.slice(7), 'hex').toString('base64')}:`)
    expect((await fetch(`${cache}${path}`, { headers: { 'if-none-match': second.headers.get('etag') ?? '' } })).status).toBe(304)
  })

  it('keeps the object and its report apart', async () => {
    const { path, digest } = await startBoth()
    await fetch(`${cache}${path}`).then(bytesOf)
    for (const expected of ['MISS', 'HIT']) {
      const report = await fetch(`${cache}${path}`, { headers: { accept: 'application/json' } })
      expect([report.headers.get('x-cache'), report.headers.get('content-type')]).toEqual([
        expected, expect.stringContaining('application/json')
      ])
      expect(await report.json()).toMatchObject({ result: { sha256: digest } })
    }
    expect(await fetch(`${cache}${path}`).then(bytesOf)).toBe(digest)
  })

  it('keeps no errors', async () => {
    const { path } = await startBoth()
    const unknown = path.replace(/[0-9a-f]{64}(?=\?)/, '0'.repeat(64))
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await fetch(`${cache}${unknown}`)
      expect([answer.status, answer.headers.get('x-cache')]).toEqual([404, 'MISS'])
      expect(await answer.json()).toMatchObject({ code: 'btf_unknown' })
    }
  })

  it('answers from what it keeps while the service is away', async () => {
    const { path, digest } = await startBoth()
    await fetch(`${cache}${path}`).then(bytesOf)
    await service.stop()
    const answer = await fetch(`${cache}${path}`)
    expect([answer.status, answer.headers.get('x-cache'), await bytesOf(answer)]).toEqual([200, 'HIT', digest])
  })

  it('asks once where a hundred ask for the same at once', async () => {
    const { path, digest } = await startBoth()
    const answers = await Promise.all(Array.from({ length: 100 }, async () => await fetch(`${cache}${path}`)))
    const states = await Promise.all(answers.map(async answer => ({ cache: answer.headers.get('x-cache'), digest: await bytesOf(answer) })))
    expect(states.filter(state => state.digest !== digest)).toEqual([])
    const metrics = await (await fetch(`${service.url}/metrics`)).text()
    const asked = [...metrics.matchAll(/corelo_http_request_duration_seconds_count\{[^}]*route="\/relocated[^}]*\} (\d+)/g)].reduce((
      sum, [, count]
    ) => sum + Number(count), 0)
    expect(asked).toBe(1)
  })
})

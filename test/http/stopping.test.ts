import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { EXEC, MAIN, removeFoldersAfterEach, temporaryFolder } from '../cli/corelo.js'

const OBJECT = readFileSync(EXEC)
/** A seventh of it is the time in which load balancers may notice. */
const SHUTDOWN_MS = 7000

interface Server {
  readonly child: ChildProcess
  readonly url: URL
  /** All that was logged so far. */
  output (): string
  readonly exit: Promise<number | null>
}

async function start (): Promise<Server> {
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env: { PATH: process.env.PATH, CORELO_PORT: '0', CORELO_LOCAL_KERNEL: 'false', CORELO_WORKERS: '1', CORELO_MAX_DELAY_MS: '0', CORELO_CACHE_DIR: temporaryFolder(), CORELO_SHUTDOWN_MS: String(SHUTDOWN_MS) },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  onTestFinished(() => { child.kill('SIGKILL') })
  const exit = once(child, 'close').then(([code]) => code as number | null)
  let output = ''
  child.stdout.on('data', chunk => { output += String(chunk) })
  const address = (): string | undefined => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
  await expect.poll(address).toBeDefined()
  const url = new URL(address() ?? '')
  await expect.poll(async () => (await fetch(new URL('/readyz', url))).status).toBe(200)
  return { child, url, output: () => output, exit }
}

/** An upload of which half has arrived. */
async function beginUpload ({ hostname, port }: URL): Promise<{ finish: () => Promise<string> }> {
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  let answer = ''
  socket.on('data', (text: string) => { answer += text })
  const closed = once(socket, 'close')
  const half = OBJECT.length >> 1
  socket.write(`PUT /objects/${sha256(OBJECT)} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-elf\r\ncontent-length: ${OBJECT.length}\r\n\r\n`)
  socket.write(OBJECT.subarray(0, half))
  await new Promise(resolve => setTimeout(resolve, 100))
  return {
    async finish () {
      socket.write(OBJECT.subarray(half))
      await closed
      return answer
    }
  }
}

describe('a service that is told to stop', () => {
  removeFoldersAfterEach()

  it('says so to readiness at once, still listens for a while, finishes what it has, and exits with 0', async () => {
    const { child, url, output, exit } = await start()
    const upload = await beginUpload(url)
    child.kill('SIGTERM')
    const ready = async (): Promise<number> => (await fetch(new URL('/readyz', url))).status
    await expect.poll(ready).toBe(503)
    expect((await fetch(new URL('/kernels', url))).status).toBe(200)
    await expect.poll(async () => await ready().catch(() => 'refused'), { timeout: SHUTDOWN_MS }).toBe('refused')
    const answer = await upload.finish()
    expect(answer).toMatch(/^HTTP\/1.1 201 /)
    expect(answer).toMatch(/^connection: close\r$/im)
    expect(await exit).toBe(0)
    expect(output()).toContain('"msg":"stopped"')
  })

  it('answers all that is in flight, and all that comes while load balancers may not have noticed', async () => {
    const { child, url, exit } = await start()
    const uploads = await Promise.all(Array.from({ length: 20 }, async () => await beginUpload(url)))
    child.kill('SIGTERM')
    const readiness = async (): Promise<Response> => await fetch(new URL('/readyz', url))
    await expect.poll(async () => (await readiness()).status).toBe(503)
    const draining = await readiness()
    expect(draining.headers.get('retry-after')).toBe('5')
    expect(await draining.json()).toMatchObject({ code: 'draining' })
    const late = await Promise.all(Array.from({ length: 20 }, async () => await fetch(new URL('/kernels', url))))
    expect(late.map(({ status, headers }) => [status, headers.get('connection')])).toEqual(Array(20).fill([200, 'close']))
    const lateUpload = await beginUpload(url) // begins within the notice, ends after it
    await expect.poll(async () => await readiness().then(({ status }) => status, () => 'refused'), { timeout: SHUTDOWN_MS }).toBe('refused')
    const answers = await Promise.all([...uploads, lateUpload].map(async ({ finish }) => await finish()))
    expect(answers.map(answer => /^HTTP\/1.1 (\d+)/.exec(answer)?.[1])).toEqual(Array(21).fill(expect.stringMatching(/^20[01]$/)))
    expect(await exit).toBe(0)
  })

  it('exits at once at the second signal', async () => {
    const { child, url, output, exit } = await start()
    await beginUpload(url)
    child.kill('SIGTERM')
    await expect.poll(output).toContain('"msg":"stopping"')
    child.kill('SIGTERM')
    expect(await exit).toBe(1)
    expect(output()).toContain('second signal')
  })

  it('does not wait for load balancers when somebody at a terminal stops it', async () => {
    const { child, exit } = await start()
    const started = performance.now()
    child.kill('SIGINT')
    expect(await exit).toBe(0)
    expect(performance.now() - started).toBeLessThan(SHUTDOWN_MS)
  })
})

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { EXEC } from '../cli/corelo.js'
import { startProcess, type ServiceProcess } from '../support/service.js'

const OBJECT = readFileSync(EXEC)
/** A seventh of it is the time in which load balancers may notice. */
const SHUTDOWN_MS = 7000

const start = async (): Promise<ServiceProcess> => await startProcess({ CORELO_SHUTDOWN_MS: String(SHUTDOWN_MS) })

/** An upload of which half has arrived. */
async function beginUpload ({ url }: ServiceProcess): Promise<{ finish: () => Promise<string> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.setEncoding('latin1')
  let answer = ''
  socket.on('data', (text: string) => { answer += text })
  const closed = once(socket, 'close')
  const half = OBJECT.length >> 1
  socket.write(
    `PUT /objects/${sha256(OBJECT)} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-elf\r\ncontent-length: ${OBJECT.length}\r\n\r\n`
  )
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
  it('says so to readiness at once, still listens for a while, finishes what it has, and exits with 0', async () => {
    const service = await start()
    const upload = await beginUpload(service)
    service.child.kill('SIGTERM')
    const ready = async (): Promise<number> => (await fetch(`${service.url}/readyz`)).status
    await expect.poll(ready).toBe(503)
    expect((await fetch(`${service.url}/kernels`)).status).toBe(200)
    await expect.poll(async () => await ready().catch(() => 'refused'), { timeout: SHUTDOWN_MS }).toBe('refused')
    const answer = await upload.finish()
    expect(answer).toMatch(/^HTTP\/1.1 201 /)
    expect(answer).toMatch(/^connection: close\r$/im)
    expect(await service.exited).toBe(0)
    expect(service.output()).toContain('"msg":"stopped"')
  })

  it('answers all that is in flight, and all that comes while load balancers may not have noticed', async () => {
    const service = await start()
    const uploads = await Promise.all(Array.from({ length: 20 }, async () => await beginUpload(service)))
    service.child.kill('SIGTERM')
    const readiness = async (): Promise<Response> => await fetch(`${service.url}/readyz`)
    await expect.poll(async () => (await readiness()).status).toBe(503)
    const draining = await readiness()
    expect(draining.headers.get('retry-after')).toBe('5')
    expect(await draining.json()).toMatchObject({ code: 'draining' })
    const late = await Promise.all(Array.from({ length: 20 }, async () => await fetch(`${service.url}/kernels`)))
    expect(late.map(({ status, headers }) => [status, headers.get('connection')])).toEqual(Array(20).fill([200, 'close']))
    const lateUpload = await beginUpload(service) // begins within the notice, ends after it
    await expect.poll(async () => await readiness().then(({ status }) => status, () => 'refused'), { timeout: SHUTDOWN_MS }).toBe('refused')
    const answers = await Promise.all([...uploads, lateUpload].map(async ({ finish }) => await finish()))
    expect(answers.map(answer => /^HTTP\/1.1 (\d+)/.exec(answer)?.[1])).toEqual(Array(21).fill(expect.stringMatching(/^20[01]$/)))
    expect(await service.exited).toBe(0)
  })

  it('exits at once at the second signal', async () => {
    const service = await start()
    await beginUpload(service)
    service.child.kill('SIGTERM')
    await expect.poll(service.output).toContain('"msg":"stopping"')
    service.child.kill('SIGTERM')
    expect(await service.exited).toBe(1)
    expect(service.output()).toContain('second signal')
  })

  it('does not wait for load balancers when somebody at a terminal stops it', async () => {
    const service = await start()
    const started = performance.now()
    service.child.kill('SIGINT')
    expect(await service.exited).toBe(0)
    expect(performance.now() - started).toBeLessThan(SHUTDOWN_MS)
  })
})

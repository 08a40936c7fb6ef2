import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EXEC } from '../cli/corelo.js'
import { startPackageRepository, type PackageRepository } from '../support/package-repository.js'
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'
import { temporaryFolder } from '../unit/service/lab.js'
import { metricOf, startListening, startProcess, type ListeningService, type ServiceProcess } from '../support/service.js'

/** Also where the machine is slow. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 100_000, interval: 100 })

const nameOf = (release: string): string => `debian/12/x86_64/${release}`
const [FIRST, SECOND, THIRD] = ['6.1.0-51-amd64', '6.1.0-52-amd64', '6.1.0-53-amd64'] as const

interface World {
  readonly repository: PackageRepository
  readonly receiver: WebhookReceiver
  /** A service between the two, in this process, that has seen the first kernel. */
  readonly start: () => Promise<ListeningService>
  /** The same in a process of its own, for what ends it. */
  readonly startAlone: () => Promise<ServiceProcess>
}

/** A distribution that publishes one kernel, and a receiver. */
async function startWorld (settings: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = await temporaryFolder()
  const repository = await startPackageRepository()
  onTestFinished(() => repository.close())
  await repository.publish(FIRST)
  const receiver = await startWebhookReceiver()
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${receiver.secret}\n`)
  const packages = repository.writeSettings(folder)
  const all = {
    CORELO_CACHE_DIR: join(folder, 'cache'),
    CORELO_PACKAGES: packages,
    CORELO_CATALOG_MS: '1000',
    CORELO_WEBHOOK: receiver.url,
    CORELO_WEBHOOK_SECRET_FILE: secretFile,
    ...settings
  }
  const seen = async <S extends ListeningService | ServiceProcess>(service: S): Promise<S> => {
    await eventually(() => metricOf(service, 'corelo_published_kernels')).toBeGreaterThan(0)
    return service
  }
  return {
    repository,
    receiver,
    async start () {
      const service = await startListening(all)
      onTestFinished(() => service.stop())
      return await seen(service)
    },
    startAlone: async () => await seen(await startProcess(all))
  }
}

const told = ({ messages }: WebhookReceiver): string[] => messages.map(({ type, data }) => `${type} ${data.reference}`)

/** What a team does that wants to know whether its object does for a kernel: it sends the object, with the kernel's name. */
async function relocate (url: string, reference: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const form = new FormData()
  form.append('object', new Blob([readFileSync(EXEC)]), 'exec.bpf.o')
  form.append('kernel_release', reference)
  return await fetch(`${url}/relocate`, { method: 'POST', body: form, headers: { accept: 'application/json', ...headers } })
}

interface Checked {
  readonly status: number
  readonly report: { readonly kernel?: { readonly reference: string, readonly btf_sha256: string }, readonly verdict?: string }
}

async function check (...args: Parameters<typeof relocate>): Promise<Checked> {
  const answer = await relocate(...args)
  return { status: answer.status, report: await answer.json() as Checked['report'] }
}

describe('a kernel that a distribution publishes', () => {
  it('is fetched ahead, and an object can be checked for it as soon as the webhook tells, before a node boots it', async () => {
    const { repository, receiver, start } = await startWorld({ CORELO_WATCH: 'debian/12/x86_64/*' })
    const service = await start()
    const checks: Array<Promise<Checked>> = []
    receiver.answer = (response, { type, data }) => {
      response.writeHead(202).end()
      if (type === 'kernel.held') checks.push(check(service.url, data.reference))
    }
    await repository.publish(SECOND)
    await eventually(() => told(receiver)).toEqual([`kernel.listed ${nameOf(SECOND)}`, `kernel.held ${nameOf(SECOND)}`])
    const [checked, ...others] = await Promise.all(checks)
    expect(others).toEqual([])
    expect(checked).toMatchObject({
      status: 200,
      report: {
        kernel: { reference: nameOf(SECOND), btf_sha256: receiver.messages[1]?.data.btf_sha256 },
        verdict: expect.stringMatching(/^(loads|fails|unknown)$/)
      }
    })
    expect(receiver.messages[0]?.data).toMatchObject({
      sources: ['packages'], published: { package: `linux-image-${SECOND}`, version: '6.1.2-1' }
    })
    expect(repository.requests.filter(path => path.startsWith('pool/'))).toEqual([`pool/linux-image-${SECOND}.deb`])
    const metrics = [
      'corelo_new_kernels_total', 'corelo_kernels_fetched_ahead_total{outcome="fetched"}',
      'corelo_kernels_fetched_ahead_total{outcome="failed"}', 'corelo_webhook_attempts_total{outcome="delivered"}',
      'corelo_webhook_events_waiting'
    ]
    await eventually(() => Promise.all(metrics.map(name => metricOf(service, name)))).toEqual([1, 1, 0, 2, 0])
  })

  it('is told of without patterns too, and fetched when the receiver asks for it', async () => {
    const { repository, receiver, start } = await startWorld()
    const service = await start()
    const checks: Array<Promise<Checked>> = []
    receiver.answer = (response, { type, data }) => {
      response.end()
      if (type === 'kernel.listed') checks.push(check(service.url, data.reference, { prefer: 'wait=60' }))
    }
    await repository.publish(SECOND)
    await eventually(() => told(receiver)).toEqual([`kernel.listed ${nameOf(SECOND)}`, `kernel.held ${nameOf(SECOND)}`])
    expect(await Promise.all(checks)).toMatchObject([{ status: 200, report: { kernel: { reference: nameOf(SECOND) } } }])
  })

  it.each([
    'SIGTERM', 'SIGKILL'
  ] as const)('is told of although the receiver was down and the service ended meanwhile (%s), and nothing else is', async signal => {
    const { repository, receiver, start, startAlone } = await startWorld({ CORELO_WATCH: 'debian/12/amd64/*' })
    const service = await startAlone()
    await receiver.stop()
    await repository.publish(SECOND)
    await eventually(() => metricOf(service, 'corelo_webhook_events_waiting')).toBe(2)
    expect(await service.stop(signal)).toBe(signal === 'SIGTERM' ? 0 : null)
    await repository.publish(THIRD)
    await receiver.start()
    const again = await start()
    await eventually(() => told(receiver).sort()).toEqual([SECOND, THIRD]
      .flatMap(release => [`kernel.held ${nameOf(release)}`, `kernel.listed ${nameOf(release)}`])
      .sort())
    await eventually(() => metricOf(again, 'corelo_webhook_events_waiting')).toBe(0)
    expect([new Set(receiver.messages.map(({ id }) => id)).size, receiver.refusals]).toEqual([4, []])
  })

  it('does not keep the service from ending while the receiver does not answer', async () => {
    const { repository, receiver, startAlone } = await startWorld()
    const service = await startAlone()
    receiver.answer = () => {}
    await repository.publish(SECOND)
    await eventually(() => receiver.messages.length).toBe(1)
    expect(await service.stop('SIGINT')).toBe(0)
  })
})

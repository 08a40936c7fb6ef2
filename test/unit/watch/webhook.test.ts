import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseReference } from '../../../src/identity/reference.js'
import type { WebhookTimes } from '../../../src/settings/service-options.js'
import { listedEvent, type WatchEvent } from '../../../src/watch/events.js'
import { openPending } from '../../../src/watch/pending.js'
import { createWebhook } from '../../../src/watch/webhook.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'
import { temporaryFolder } from '../service/lab.js'

/** Also where the machine is slow. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 60_000 })

const eventOf = (release: string, at = new Date().toISOString()): WatchEvent =>
  listedEvent(parseReference(`debian/12/x86_64/${release}`), { sources: ['packages'], published: undefined, at })

interface Told { readonly message: string, readonly facts: Record<string, unknown> }

/** A webhook over what is kept in a folder. Its waits are as short as can be. */
async function start (receiver: Pick<WebhookReceiver, 'url' | 'secret'>, {
  folder, times
}: { folder?: string, times?: Partial<WebhookTimes> } = {}) {
  const place = folder ?? await temporaryFolder()
  const secretFile = join(place, 'secret')
  await writeFile(secretFile, receiver.secret)
  const told: Told[] = []
  const warn = (message: string, facts: Record<string, unknown>): void => { told.push({ message, facts }) }
  const pending = await openPending({ path: join(place, 'pending'), warn })
  const webhook = createWebhook({ url: receiver.url, secretFile, pending, warn, times: { baseMs: 1, maxMs: 10, ...times } })
  onTestFinished(() => webhook.close())
  const send = async (...events: readonly WatchEvent[]): Promise<void> => {
    for (const event of events) pending.events.set(event.id, event)
    await pending.save()
    webhook.wake()
  }
  return { folder: place, secretFile, told, pending, webhook, send }
}

const releasesIn = ({ messages }: WebhookReceiver): string[] => messages.map(({ data }) => data.reference.slice('debian/12/x86_64/'.length))

describe('a webhook', () => {
  it('is told of each event once, in order, with a signature that the receiver verifies', async () => {
    const receiver = await startWebhookReceiver()
    const { send, webhook, pending } = await start(receiver)
    await send(eventOf('6.1.0-1'), eventOf('6.1.0-2'))
    await eventually(() => webhook.stats().delivered).toBe(2)
    expect(receiver.refusals).toEqual([])
    expect(releasesIn(receiver)).toEqual(['6.1.0-1', '6.1.0-2'])
    expect(receiver.messages[0]).toMatchObject({
      type: 'kernel.listed',
      data: { distro: 'debian', distro_version: '12', arch: 'x86_64', release: '6.1.0-1', sources: ['packages'], published: null }
    })
    expect(pending.events.size).toBe(0)
    expect(webhook.stats()).toEqual({ delivered: 2, failed: 0, dropped: 0 })
  })

  it.each([
    ['answers 500', 500, /status 500/],
    ['answers 429', 429, /status 429/],
    ['redirects', 302, /status 302, and redirects are not followed/],
    ['is nowhere', 404, /status 404/]
  ])('that %s is told again, of the same with the same id and a new signature', async (_, status, reason) => {
    const receiver = await startWebhookReceiver()
    const elsewhere = await startWebhookReceiver(receiver.secret)
    receiver.answer = response => {
      response.writeHead(receiver.messages.length < 3 ? status : 200, { location: elsewhere.url }).end('never mind')
    }
    const { send, webhook, told } = await start(receiver)
    await send(eventOf('6.1.0-1'))
    await eventually(() => webhook.stats()).toEqual({ delivered: 1, failed: 2, dropped: 0 })
    expect(new Set(receiver.messages.map(({ id, body }) => `${id} ${body}`)).size).toBe(1)
    expect([receiver.messages.length, receiver.refusals, elsewhere.messages]).toEqual([3, [], []])
    expect(told).toHaveLength(2)
    expect(told[0]).toMatchObject({
      message: 'The webhook did not take an event; it is tried again.',
      facts: { webhook: new URL(receiver.url).origin, reason: expect.stringMatching(reason) }
    })
    expect(JSON.stringify(told)).not.toContain('secret')
  })

  it('that is down is left alone for longer and longer, and told of all once it is back', async () => {
    const receiver = await startWebhookReceiver()
    await receiver.stop()
    const { send, webhook, told } = await start(receiver)
    await send(eventOf('6.1.0-1'), eventOf('6.1.0-2'), eventOf('6.1.0-3'))
    await eventually(() => webhook.stats().failed).toBeGreaterThan(2)
    expect(told.map(({ facts }) => facts['failures'])).toEqual(told.map((_, i) => i + 1))
    expect(told[0]?.facts['reason']).toMatch(/ECONNREFUSED/)
    await receiver.start()
    await eventually(() => webhook.stats().delivered).toBe(3)
    expect(releasesIn(receiver)).toEqual(['6.1.0-1', '6.1.0-2', '6.1.0-3'])
  })

  it('that does not answer is not waited for without an end', async () => {
    const receiver = await startWebhookReceiver()
    receiver.answer = response => { if (receiver.messages.length > 1) response.end() }
    const { send, webhook, told } = await start(receiver, { times: { timeoutMs: 500 } })
    await send(eventOf('6.1.0-1'))
    await eventually(() => webhook.stats().delivered).toBe(1)
    expect(told[0]?.facts['reason']).toBe('it did not answer within 500 ms')
  })

  it('that asks to be left alone is, for at least as long', async () => {
    const receiver = await startWebhookReceiver()
    receiver.answer = response => { response.writeHead(503, { 'retry-after': '3000' }).end() }
    const { send, webhook, told } = await start(receiver)
    await send(eventOf('6.1.0-1'), eventOf('6.1.0-2'))
    await eventually(() => told.length).toBe(1)
    expect(told[0]?.facts['again_in_s']).toBe(3000)
    webhook.wake()
    expect([receiver.messages.length, webhook.stats().failed]).toEqual([1, 1])
  })

  it('that refuses one event takes the others, and gets what it says is gone no more', async () => {
    const receiver = await startWebhookReceiver()
    receiver.answer = (response, { data }) => {
      const { release } = data
      response.writeHead(release === '6.1.0-1' ? 422 : release === '6.1.0-2' ? 410 : 200).end()
    }
    const { send, webhook, pending } = await start(receiver, { times: { baseMs: 3_600_000, maxMs: 3_600_000 } })
    await send(eventOf('6.1.0-1'), eventOf('6.1.0-2'), eventOf('6.1.0-3'))
    await eventually(() => webhook.stats()).toEqual({ delivered: 1, failed: 2, dropped: 1 })
    expect(releasesIn(receiver)).toEqual(['6.1.0-1', '6.1.0-2', '6.1.0-3'])
    expect([...pending.events.values()]).toMatchObject([{ body: expect.stringContaining('6.1.0-1') }])
  })

  it('is given up for events that it did not take for days, after several attempts', async () => {
    const receiver = await startWebhookReceiver()
    await receiver.stop()
    const { send, webhook, told } = await start(receiver)
    await send(eventOf('6.1.0-1', '2026-01-01T00:00:00.000Z'), eventOf('6.1.0-2'))
    await eventually(() => webhook.stats().dropped).toBe(1)
    const at = told.findIndex(({ message }) => message === 'The webhook did not take an event, which is given up.')
    expect([at, told[at]?.facts['id']]).toEqual([4, eventOf('6.1.0-1').id])
    await receiver.start()
    await eventually(() => webhook.stats().delivered).toBe(1)
    expect(releasesIn(receiver)).toEqual(['6.1.0-2'])
  })

  it('is told after a restart of what it had not taken before, with the same id', async () => {
    const receiver = await startWebhookReceiver()
    await receiver.stop()
    const first = await start(receiver)
    await first.send(eventOf('6.1.0-1'))
    await eventually(() => first.webhook.stats().failed).toBeGreaterThan(0)
    await first.webhook.close()
    await receiver.start()
    const second = await start(receiver, { folder: first.folder })
    second.webhook.wake()
    await eventually(() => second.webhook.stats().delivered).toBe(1)
    expect(receiver.messages).toMatchObject([{ id: eventOf('6.1.0-1').id, data: { release: '6.1.0-1' } }])
    await second.webhook.close()
    expect((await start(receiver, { folder: first.folder })).pending.events.size).toBe(0)
  })

  it('signs with the secret that is in the file now, and waits for one where there is none', async () => {
    const receiver = await startWebhookReceiver()
    const { send, webhook, secretFile, told } = await start({ url: receiver.url, secret: `whsec_${Buffer.alloc(32).toString('base64')}` })
    await send(eventOf('6.1.0-1'))
    await eventually(() => receiver.refusals.length).toBeGreaterThan(0)
    await rm(secretFile)
    await eventually(() =>
      told.map(({ facts }) => facts['reason'])).toContainEqual(expect.stringMatching(/CORELO_WEBHOOK_SECRET_FILE names .* cannot be read/))
    await writeFile(secretFile, receiver.secret)
    await eventually(() => webhook.stats().delivered).toBe(1)
  })

  it('is closed without waiting for an answer', async () => {
    const receiver = await startWebhookReceiver()
    receiver.answer = () => {}
    const { send, webhook, pending } = await start(receiver)
    await send(eventOf('6.1.0-1'))
    await eventually(() => receiver.messages.length).toBe(1)
    await webhook.close()
    expect([webhook.stats(), pending.events.size]).toEqual([{ delivered: 0, failed: 0, dropped: 0 }, 1])
  })
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startPackageRepository } from '../../support/package-repository.js'
import { s3Settings, startS3Server } from '../../support/s3-server.js'
import { startWebhookReceiver } from '../../support/webhook-receiver.js'
import { startService, temporaryFolder, type StartedService } from './lab.js'

/** Also where the machine is slow. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 100_000 })

it('what a replica has still to tell is told by the one that takes its place with an empty cache folder, with the same ids', async () => {
  const [repository, bucket, receiver, folder] = [
    await startPackageRepository(), await startS3Server(), await startWebhookReceiver(), await temporaryFolder()
  ]
  onTestFinished(() => repository.close())
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, receiver.secret)
  const replica = async (): Promise<StartedService> => await startService(await temporaryFolder(), {
    packages: [repository.writeSettings(folder)],
    sharedStore: s3Settings(bucket),
    catalogMs: 300,
    watching: { patterns: ['debian/12/x86_64/*'], newest: 10, webhook: { url: receiver.url, secretFile } }
  })
  const pending = (): string => bucket.objects.get('fleet/corelo/watch/pending')?.toString() ?? ''
  receiver.answer = response => { response.writeHead(503).end() }
  await repository.publish('6.1.0-51-amd64')
  const first = await replica()
  await eventually(() => [...bucket.objects.keys()]).toContain('fleet/corelo/watch/listed')
  await repository.publish('6.1.0-52-amd64')
  await eventually(() => receiver.messages.length).toBeGreaterThan(0)
  await eventually(pending).toContain('kernel.held')
  await first.close()
  const refused = receiver.messages.length
  receiver.answer = undefined
  const second = await replica()
  await eventually(() => receiver.messages.slice(refused).map(({ type, data }) => `${type} ${String(data['release'])}`))
    .toEqual(['kernel.listed 6.1.0-52-amd64', 'kernel.held 6.1.0-52-amd64'])
  expect(receiver.messages[refused]?.id).toBe(receiver.messages[0]?.id)
  await eventually(pending).not.toContain('kernel.')
  expect(second.stats().watch).toMatchObject({ newKernels: 0, webhook: { delivered: 2, waiting: 0 } })
})

it('a replica with an empty cache folder goes on from what those before it knew, by the bucket that they share', async () => {
  const [repository, bucket, receiver, folder] = [
    await startPackageRepository(), await startS3Server(), await startWebhookReceiver(), await temporaryFolder()
  ]
  onTestFinished(() => repository.close())
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, receiver.secret)
  const replica = async (): Promise<StartedService> => await startService(await temporaryFolder(), {
    packages: [repository.writeSettings(folder)],
    sharedStore: s3Settings(bucket),
    catalogMs: 300,
    watching: { patterns: ['debian/12/x86_64/*'], newest: 10, webhook: { url: receiver.url, secretFile } }
  })
  await repository.publish('6.1.0-51-amd64')
  const first = await replica()
  await eventually(() => [...bucket.objects.keys()].filter(key => key.endsWith('watch/listed'))).toEqual(['fleet/corelo/watch/listed'])
  await first.close()
  await repository.publish('6.1.0-52-amd64')
  const second = await replica()
  await eventually(() => receiver.messages.map(({ type, data }) => `${type} ${String(data['release'])}`)).toEqual([
    'kernel.listed 6.1.0-52-amd64', 'kernel.held 6.1.0-52-amd64'
  ])
  await eventually(() => second.stats().watch).toMatchObject({ newKernels: 1, fetched: 1, failed: 0 })
  await eventually(() => bucket.objects.get('fleet/corelo/watch/listed')?.toString()).toContain('6.1.0-52-amd64')
  const third = await replica()
  await third.refreshCatalog()
  await eventually(() => third.stats().packages?.published).toBe(2)
  expect([third.stats().watch?.newKernels, receiver.messages.length, bucket.refusals]).toEqual([0, 2, []])
})

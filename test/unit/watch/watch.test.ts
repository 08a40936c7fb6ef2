import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AppError } from '../../../src/errors.js'
import { formatReference, parseReference, type KernelReference } from '../../../src/identity/reference.js'
import { createOfferedKernels } from '../../../src/kernels/catalog/offered-kernels.js'
import type { KernelRecord } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/store/sha256.js'
import { createListed } from '../../../src/watch/listed.js'
import { openPending } from '../../../src/watch/pending.js'
import { createWatch, type Watch, type WatchOptions } from '../../../src/watch/watch.js'
import type { Webhook } from '../../../src/watch/webhook.js'
import { temporaryFolder } from '../service/lab.js'

/** Also where the machine is slow. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 60_000 })

const nameOf = (release: string): string => release.includes('/') ? release : `debian/12/x86_64/${release}`
const referenceOf = (release: string): KernelReference => parseReference(nameOf(release))

function recordOf (reference: KernelReference): KernelRecord {
  const at = '2026-11-01T00:00:00.000Z'
  return {
    reference,
    btfSha256: sha256(formatReference(reference)),
    bytes: 5,
    types: 1,
    source: 'packages',
    provenance: { by: 'packages', at, kernelVersion: '#1 SMP' },
    firstSeen: at,
    lastUsed: at,
    modules: []
  }
}

interface Options {
  readonly folder?: string
  readonly patterns?: readonly string[]
  readonly newest?: number
  /** Releases that cannot be had. */
  readonly missing?: Set<string>
  readonly fetch?: WatchOptions['fetch']
}

/** A watch whose catalog, sources and webhook are the test's. */
async function start ({ folder, patterns = ['*'], newest = 10, missing = new Set(), fetch }: Options = {}) {
  const place = folder ?? await temporaryFolder()
  const warnings: string[] = []
  const warn = (message: string): void => { warnings.push(message) }
  const offered: { main: string[] } = { main: [] }
  const held = new Map<string, KernelRecord>()
  const fetched: string[] = []
  const pathsOf = () => offered.main.map(release => `${nameOf(release)}.btf.tar.xz`)
  const webhook: Webhook = { wake () {}, stats: () => ({ delivered: 0, failed: 0, dropped: 0 }), close: async () => {} }
  const pending = await openPending({ path: join(place, 'pending'), warn })
  const watch: Watch = createWatch({
    catalog: {
      places: () => new Map([['packages main', pathsOf()]]), kernels: () => createOfferedKernels([{ source: 'packages', paths: pathsOf() }])
    },
    patterns,
    newest,
    listed: createListed({ path: join(place, 'listed'), warn }),
    pending,
    webhook,
    warn,
    findHeld: reference => held.get(formatReference(reference)),
    publishedOf: ({ release }) => release.endsWith('9')
      ? { repository: 'main', package: `linux-image-${release}`, version: '1', bytes: 7, builtAt: undefined }
      : undefined,
    fetch: fetch ?? (async reference => {
      fetched.push(reference.release)
      if (missing.has(reference.release)) throw new AppError('source_failed', 'The mirror is down.')
      held.set(formatReference(reference), recordOf(reference))
    })
  })
  onTestFinished(() => watch.close())
  /** One look of the catalog at these releases. */
  const look = async (...releases: readonly string[]): Promise<void> => {
    offered.main = [...releases]
    await watch.look()
  }
  const events = () =>
    [...pending.events.values()].map(({ id, body }) => ({ id, ...JSON.parse(body) as { type: string, data: Record<string, unknown> } }))
  const told = (): string[] => events().map(({ type, data }) => `${type} ${String(data['reference'])}`)
  return { folder: place, watch, look, events, told, fetched, held, warnings, pending }
}

describe('the watch for new kernels', () => {
  it('does nothing at the first look, and then fetches what is new and tells that it is listed and that it is held', async () => {
    const { watch, look, told, events, fetched } = await start()
    await look('6.1.0-1', '6.1.0-2')
    expect([told(), fetched, watch.stats().newKernels]).toEqual([[], [], 0])
    await look('6.1.0-1', '6.1.0-2', '6.1.0-9')
    await eventually(told).toEqual([`kernel.listed ${nameOf('6.1.0-9')}`, `kernel.held ${nameOf('6.1.0-9')}`])
    expect(fetched).toEqual(['6.1.0-9'])
    expect(events()[0]?.data).toEqual({
      reference: nameOf('6.1.0-9'),
      ...namesOf('6.1.0-9'),
      sources: [
        'packages'
      ],
      published: { repository: 'main', package: 'linux-image-6.1.0-9', version: '1', bytes: 7, built_at: null }
    })
    expect(events()[1]?.data).toEqual({
      reference: nameOf('6.1.0-9'),
      ...namesOf('6.1.0-9'),
      btf_sha256: sha256(nameOf('6.1.0-9')),
      bytes: 5,
      types: 1,
      build_id: null,
      kernel_version: '#1 SMP',
      source: 'packages'
    })
    expect(watch.stats()).toMatchObject({ newKernels: 1, fetched: 1, failed: 0, waiting: 0, webhook: { waiting: 2 } })
  })

  it('says the same id wherever it runs, and another one for what is another event', async () => {
    const [one, other] = [await start(), await start()]
    for (const { look } of [one, other]) {
      await look()
      await look('6.1.0-1')
      await look('6.1.0-1', '6.1.0-2')
    }
    await eventually(() => [one.events().length, other.events().length]).toEqual([4, 4])
    expect(one.events().map(({ id }) => id).sort()).toEqual(other.events().map(({ id }) => id).sort())
    expect(new Set(one.events().map(({ id }) => id)).size).toBe(4)
  })

  it('leaves alone what its patterns do not name, and without patterns fetches nothing and tells of all', async () => {
    const some = await start({ patterns: ['debian/12/x86_64/6.1.0-2*', 'ubuntu/*/*/*'] })
    await some.look('6.1.0-1')
    await some.look('6.1.0-1', '6.1.0-2', '6.1.0-3')
    await eventually(some.told).toEqual([`kernel.listed ${nameOf('6.1.0-2')}`, `kernel.held ${nameOf('6.1.0-2')}`])
    const all = await start({ patterns: [] })
    await all.look('6.1.0-1')
    await all.look('6.1.0-1', '6.1.0-2')
    expect([all.told(), all.fetched, all.watch.stats().waiting]).toEqual([[`kernel.listed ${nameOf('6.1.0-2')}`], [], 0])
    all.held.set(nameOf('6.1.0-2'), recordOf(referenceOf('6.1.0-2')))
    all.watch.noteHeld(referenceOf('6.1.0-2'))
    expect(all.told()).toEqual([`kernel.listed ${nameOf('6.1.0-2')}`, `kernel.held ${nameOf('6.1.0-2')}`])
    all.watch.noteHeld(referenceOf('6.1.0-1'))
    expect(all.told()).toHaveLength(2)
  })

  it('fetches of many that come at once the newest of each platform, and tells of all', async () => {
    const { look, told, fetched, warnings } = await start({ newest: 2 })
    await look()
    await look('6.1.0-9', '6.1.0-10', '6.1.0-11', 'ubuntu/22.04/x86_64/5.15.0-1-generic')
    await eventually(() => fetched).toHaveLength(3)
    expect([...fetched].sort()).toEqual(['5.15.0-1-generic', '6.1.0-10', '6.1.0-11'])
    expect(told().filter(text => text.startsWith('kernel.listed'))).toHaveLength(4)
    expect(warnings).toEqual(['More new kernels are listed at once than are fetched ahead; the highest releases of each platform are.'])
  })

  it('fetches one at a time', async () => {
    const running: Array<() => void> = []
    const asked: string[] = []
    const { look, watch } = await start({
      fetch: async ({ release }) => {
        asked.push(release)
        await new Promise<void>(resolve => { running.push(resolve) })
      }
    })
    await look()
    await look('6.1.0-1', '6.1.0-2')
    await look('6.1.0-1', '6.1.0-2', '6.1.0-3')
    expect(asked).toEqual(['6.1.0-1'])
    for (let i = 1; i <= 3; i++) {
      await eventually(() => asked.length).toBe(i)
      running.pop()?.()
    }
    await eventually(() => watch.stats().fetched).toBe(3)
  })

  it('tries again at the next looks what cannot be had, and leaves it after five', async () => {
    const missing = new Set(['6.1.0-1', '6.1.0-2'])
    const { look, watch, told, warnings } = await start({ missing })
    await look()
    for (let tries = 1; tries <= 3; tries++) {
      await look('6.1.0-1', '6.1.0-2')
      await eventually(() => watch.stats().failed).toBe(2 * tries)
    }
    missing.delete('6.1.0-2')
    await look('6.1.0-1', '6.1.0-2')
    await eventually(() => told()).toContain(`kernel.held ${nameOf('6.1.0-2')}`)
    await look('6.1.0-1')
    await eventually(() => watch.stats()).toMatchObject({ failed: 8, fetched: 1, waiting: 0 })
    await look('6.1.0-1')
    expect(watch.stats()).toMatchObject({ failed: 8 })
    expect(new Set(warnings)).toEqual(new Set(['A new kernel cannot be fetched ahead.']))
  })

  it('goes on after a restart with what was to be fetched and told', async () => {
    const missing = new Set(['6.1.0-2'])
    const first = await start({ missing })
    await first.look('6.1.0-1')
    await first.look('6.1.0-1', '6.1.0-2')
    await eventually(() => first.watch.stats().failed).toBe(1)
    await first.watch.close()
    const second = await start({ folder: first.folder })
    expect(second.told()).toEqual([`kernel.listed ${nameOf('6.1.0-2')}`])
    await second.look('6.1.0-1', '6.1.0-2')
    await eventually(second.told).toEqual([`kernel.listed ${nameOf('6.1.0-2')}`, `kernel.held ${nameOf('6.1.0-2')}`])
    expect(second.watch.stats().newKernels).toBe(0)
  })

  it('after a kill between its writes tells again rather than never, with the same id', async () => {
    const missing = new Set(['6.1.0-2'])
    const first = await start({ missing })
    const listed = join(first.folder, 'listed')
    await first.look('6.1.0-1')
    await copyFile(listed, `${listed}.before`)
    await first.look('6.1.0-1', '6.1.0-2')
    await eventually(() => first.watch.stats().failed).toBe(1)
    const before = first.events()
    first.pending.events.clear() // the webhook took it
    await first.pending.save()
    await copyFile(`${listed}.before`, listed)
    const second = await start({ folder: first.folder, missing })
    await second.look('6.1.0-1', '6.1.0-2')
    expect(second.events().map(({ id }) => id)).toEqual(before.map(({ id }) => id))
    expect(before).toHaveLength(1)
  })

  it('tells of what it could not write down, and says that', async () => {
    const folder = await temporaryFolder()
    for (const name of ['pending', 'listed']) await mkdir(join(folder, name))
    const { look, told, warnings } = await start({ folder })
    await look('6.1.0-1')
    await look('6.1.0-1', '6.1.0-2')
    await eventually(told).toHaveLength(2)
    expect(new Set(warnings)).toEqual(new Set([
      'What was known of new kernels cannot be read.',
      'What is known of new kernels cannot be kept: after a restart some are told of again, or not at all.'
    ]))
  })
})

function namesOf (release: string) { return { distro: 'debian', distro_version: '12', arch: 'x86_64', release } }

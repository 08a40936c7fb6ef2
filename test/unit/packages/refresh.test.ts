import { expect, it, onTestFinished, vi } from 'vitest'
import { createIndexes, type Indexes } from '../../../src/packages/indexes.js'
import { readRepositories } from '../../../src/packages/read-repositories.js'
import type { IndexedRepository } from '../../../src/packages/repository.js'
import { startPackageRepository } from '../../support/package-repository.js'
import { temporaryFolder } from '../service/lab.js'

it('an index that has not changed is not sent again, also after a restart, and one that has changed is', async () => {
  const [origin, folder] = [await startPackageRepository(), await temporaryFolder()]
  onTestFinished(() => origin.close())
  await origin.publish('6.1.0-51-amd64')
  const conditions: Array<string | undefined> = []
  origin.intercept = (request, _response, path) => {
    if (path.endsWith('InRelease')) conditions.push(request.headers['if-none-match'])
    return false
  }
  const repositories = readRepositories([origin.writeSettings(folder)])
  const repository = repositories[0] as IndexedRepository // the file has one suite of one architecture
  const open = (): Indexes => {
    const indexes = createIndexes({ repositories, directory: folder, warn: message => { throw new Error(message) } })
    onTestFinished(() => indexes.close())
    return indexes
  }
  const listed = async (indexes: Indexes): Promise<string[]> =>
    ((await indexes.get(repository, 0)).index?.kernels ?? []).map(({ reference }) => reference.release)
  const files = (): string[] => origin.requests.splice(0).map(path => path.slice(path.lastIndexOf('/') + 1))

  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => { vi.useRealTimers() })
  const first = open()
  expect([await listed(first), files()]).toEqual([['6.1.0-51-amd64'], ['InRelease', 'Packages.gz']])
  vi.setSystemTime(Date.now() + 3_600_000)
  expect([await listed(first), files()]).toEqual([['6.1.0-51-amd64'], ['InRelease']])
  vi.setSystemTime(Date.now() + 3_600_000)
  const restarted = open()
  expect([await listed(restarted), files()]).toEqual([['6.1.0-51-amd64'], ['InRelease']])
  const [none, ...etags] = conditions
  expect([none, etags.length, new Set(etags).size, etags[0]]).toEqual([undefined, 2, 1, expect.stringMatching(/^"[0-9a-f]{64}"$/)])
  await origin.publish('6.1.0-52-amd64')
  vi.setSystemTime(Date.now() + 3_600_000)
  expect([await listed(restarted), files()]).toEqual([['6.1.0-51-amd64', '6.1.0-52-amd64'], ['InRelease', 'Packages.gz']])
})

it('an index that does not have the hash that was signed is read again after ever longer pauses, and used once it is right', async () => {
  const [origin, folder] = [await startPackageRepository(), await temporaryFolder()]
  onTestFinished(() => origin.close())
  await origin.publish('6.1.0-51-amd64')
  let isSpoilt = true
  origin.intercept = (_request, response, path) => {
    if (!isSpoilt || !path.endsWith('Packages.gz')) return false
    response.end(Buffer.alloc(origin.files.get(path)?.length ?? 0))
    return true
  }
  const repositories = readRepositories([origin.writeSettings(folder)])
  const repository = repositories[0] as IndexedRepository // the file has one suite of one architecture
  const indexes = createIndexes({ repositories, directory: folder, warn () {} })
  onTestFinished(() => indexes.close())
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => { vi.useRealTimers() })
  const readInMinutes = async (minutes: number): Promise<number> => {
    for (let i = 0; i < minutes; i++) {
      vi.setSystemTime(Date.now() + 61_000)
      await indexes.get(repository)
    }
    return origin.requests.splice(0).filter(path => path.endsWith('Packages.gz')).length
  }

  expect([await readInMinutes(60), (await indexes.get(repository)).refusal?.retryAfterMs]).toEqual([6, 30 * 60_000])
  isSpoilt = false
  expect([await readInMinutes(30), (await indexes.get(repository)).index?.kernels.length]).toEqual([1, 1])
})

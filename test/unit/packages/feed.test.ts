import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { createFetchJobs } from '../../../src/kernels/fetch-jobs.js'
import { openPackages } from '../../../src/packages/open-packages.js'
import { startPackageRepository } from '../../support/package-repository.js'
import { temporaryFolder } from '../service/lab.js'

afterEach(() => { vi.useRealTimers() })

const INTERVAL_MS = 6 * 3_600_000

it('the indexes of repositories are looked at each time that the catalog looks, also where its jitter makes that sooner', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const [repository, folder] = [await startPackageRepository(), await temporaryFolder()]
  onTestFinished(() => repository.close())
  await repository.publish('6.1.0-51-amd64')
  const packages = openPackages({
    packages: [
      repository.writeSettings(folder)
    ],
    cacheDir: folder,
    memoryBytes: 1,
    workers: 1,
    deadlineMs: 1,
    maxObjectBytes: 1,
    maxBtfBytes: 1,
    localKernel: false,
    trustUploads: false
  }, { open: async () => undefined, jobs: createFetchJobs(), warn: message => { throw new Error(message) } })
  if (packages === undefined) throw new Error('There are no repositories.')
  onTestFinished(() => packages.close())
  const { load, places } = packages.feed
  const look = async (): Promise<readonly string[] | undefined> => await load(AbortSignal.timeout(60_000))
  const pathOf = (release: string): string => `debian/12/x86_64/${release}.btf.tar.xz`

  expect(await look()).toEqual([pathOf('6.1.0-51-amd64')])
  await repository.publish('6.1.0-52-amd64')
  expect(await look()).toBeUndefined() // who looks again at once does not ask again
  vi.setSystemTime(Date.now() + 0.9 * INTERVAL_MS)
  expect(await look()).toEqual([pathOf('6.1.0-51-amd64'), pathOf('6.1.0-52-amd64')])
  expect([...places?.().values() ?? []]).toEqual([[pathOf('6.1.0-51-amd64'), pathOf('6.1.0-52-amd64')]])
})

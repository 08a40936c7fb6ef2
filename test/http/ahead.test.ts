import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startPackageRepository } from '../support/package-repository.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { startAppWith } from './harness.js'

/** Also where the machine is slow. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 60_000 })

it('a request for a kernel does not wait behind those that are fetched in the background, and hurries up its own', async () => {
  const [repository, folder] = [await startPackageRepository(), await temporaryFolder()]
  onTestFinished(() => repository.close())
  await repository.publish('6.1.0-51-amd64', '6.1.0-52-amd64', '6.1.0-53-amd64', '6.1.0-54-amd64', '6.1.0-55-amd64')
  const held = new Map<string, () => void>()
  repository.intercept = async (_request, _response, path) => {
    const [, release] = /pool.*6\.1\.0-(\d+)/.exec(path) ?? []
    if (release !== undefined) await new Promise<void>(resolve => { held.set(release, resolve) })
    return false
  }
  const service = await startService(
    join(folder, 'cache'), { packages: [repository.writeSettings(folder)], packageDownloads: 2, trustUploads: false }
  )
  await service.refreshCatalog()
  const { url } = await startAppWith(service)
  const ask = async (release: string, headers: Record<string, string>): Promise<number> => {
    const response = await fetch(`${url}/kernels/debian/12/x86_64/6.1.0-${release}-amd64`, { headers: { prefer: 'wait=200', ...headers } })
    await response.arrayBuffer()
    return response.status
  }
  const underway = (): string[] => [...held.keys()]

  const background = [ask('51', { priority: 'u=7' })]
  await eventually(underway).toEqual(['51'])
  background.push(ask('52', { priority: 'u=7, i' }), ask('53', { priority: 'i, u=7' }))
  const first = ask('54', {})
  await eventually(underway).toEqual(['51', '54'])
  const second = ask('55', { priority: 'u=6' })
  await eventually(underway).toEqual(['51', '54', '55'])
  // Those that wait in the background are one after the other, until somebody needs one of them.
  const hurried = ask('53', {})
  held.get('54')?.()
  await eventually(underway).toEqual(['51', '54', '55', '53'])
  for (const release of ['51', '53', '55']) held.get(release)?.()
  await eventually(underway).toEqual(['51', '54', '55', '53', '52'])
  held.get('52')?.()
  expect(await Promise.all([first, second, hurried, ...background])).toEqual([200, 200, 200, 200, 200, 200])
})

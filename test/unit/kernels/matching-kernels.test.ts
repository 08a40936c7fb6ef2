import { describe, expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import { formatReference, parseReference } from '../../../src/identity/reference.js'
import { createOfferedKernels } from '../../../src/kernels/catalog/offered-kernels.js'
import { createIndexRows } from '../../../src/kernels/index-rows.js'
import type { KernelNames } from '../../../src/kernels/kernel-index.js'
import { createMatcher, type MatchOptions } from '../../../src/kernels/matching-kernels.js'
import { recordOf } from './records.js'

const MANY = 2000
const HELD = Array.from({ length: MANY }, (_, i) => recordOf(`5.4.0-${i}-generic`))
const INDEX: KernelNames = {
  list: () => HELD,
  byRelease: release => HELD.filter(({ reference }) => reference.release === release),
  byBuildId: () => [],
  named: () => []
}
const OFFERED = createOfferedKernels([{
  source: 'btfhub',
  paths: Array.from({ length: MANY }, (_, i) => `debian/12/x86_64/6.1.0-${i}-amd64.btf.tar.xz`)
}])
const NO_SIGNAL = new AbortController().signal

async function matching (pattern: string, options: Partial<MatchOptions> = {}): Promise<string[]> {
  const found: string[] = []
  for await (const reference of createMatcher({ index: INDEX, ...options }, NO_SIGNAL)(pattern)) found.push(formatReference(reference))
  return found
}

/** How often others had their turn meanwhile. */
async function turnsDuring (work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let next = setImmediate(function others () {
    turns++
    next = setImmediate(others)
  })
  await work()
  clearImmediate(next)
  return turns
}

describe('kernels that a pattern means', () => {
  it('are what is held, what sources list, and by a release all that have it', async () => {
    expect(await matching('ubuntu/*/amd64/5.4.0-1999-*')).toEqual(['ubuntu/20.04/x86_64/5.4.0-1999-generic'])
    expect((await matching('*', { offered: OFFERED })).length).toBe(MANY)
    expect((await matching('*-1999-*', { offered: OFFERED }))).toEqual([
      'ubuntu/20.04/x86_64/5.4.0-1999-generic', 'debian/12/x86_64/6.1.0-1999-amd64'
    ])
    expect(await matching('5.4.0-7-generic')).toEqual(['ubuntu/20.04/x86_64/5.4.0-7-generic'])
    expect(await matching('debian/12/x86_64/6.1.0-none')).toEqual(['debian/12/x86_64/6.1.0-none'])
  })

  it('are one where it is held under another spelling of its platform than a source lists', async () => {
    const release = '5.15.0-1.el8uek.x86_64'
    const index = createIndexRows()
    index.set(recordOf(release, { reference: parseReference(`ol/8.9/x86_64/${release}`) }))
    const offered = createOfferedKernels([{
      source: 'packages', paths: [`ol/8/x86_64/${release}`, `ol/9/x86_64/${release}`].map(name => `${name}.btf.tar.xz`)
    }])
    for (const pattern of ['ol/8/x86_64/*', 'ol/8.9/x86_64/*', 'ol/8*/x86_64/*']) {
      expect(await matching(pattern, { index, offered })).toEqual([`ol/8.9/x86_64/${release}`])
    }
    expect(await matching(release, { index, offered })).toEqual([`ol/8.9/x86_64/${release}`, `ol/9/x86_64/${release}`])
    // Under the name that fits, where that of the kernel which is held does not.
    expect(await matching('ol/8.*/x86_64/*', { index, offered })).toEqual([`ol/8.9/x86_64/${release}`])
    expect(await matching('ol/*8/x86_64/*', { index, offered })).toEqual([`ol/8/x86_64/${release}`])
    expect(await matching(`ol/8/x86_64/${release}`, { index, offered })).toEqual([`ol/8/x86_64/${release}`])
  })

  it('let others have their turn while they are looked for, also where the pattern means none of them', async () => {
    expect(await turnsDuring(async () => expect(await matching('fedora/*/*/*')).toEqual([]))).toBeGreaterThanOrEqual(5)
    expect(await turnsDuring(async () => expect(await matching('fedora/*/*/*', { offered: OFFERED })).toEqual([]))).toBeGreaterThanOrEqual(
      10
    )
    expect(await turnsDuring(async () => expect((await matching('*')).length).toBe(MANY))).toBeGreaterThanOrEqual(5)
  })

  it('let others have their turn between patterns that each mean little', async () => {
    const matcher = createMatcher({ index: INDEX }, NO_SIGNAL)
    const turns = await turnsDuring(async () => {
      for (let i = 0; i < MANY; i++) expect(await matcher(`none-${i}`).next()).toMatchObject({ done: true })
    })
    expect(turns).toBeGreaterThanOrEqual(5)
  })

  it('are looked for until the signal, also where none is found', async () => {
    const leaving = new AbortController()
    setImmediate(() => { leaving.abort(new AppError('request_timeout', 'gone')) })
    const found = createMatcher({ index: INDEX }, leaving.signal)('fedora/*/*/*')
    await expect(found.next()).rejects.toThrow('gone')
  })
})

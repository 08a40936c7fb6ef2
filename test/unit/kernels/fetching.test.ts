import { describe, expect, it, onTestFinished } from 'vitest'
import { createFetchJobs } from '../../../src/kernels/fetch-jobs.js'
import { createFetching } from '../../../src/kernels/fetching.js'
import { openKernelIndex } from '../../../src/kernels/kernel-index.js'
import type { KernelSource, ModuleOutcome } from '../../../src/kernels/sources/source.js'
import { contentOf, createFakeAccess, hashOf, sharedBtf } from '../../support/names-lab.js'
import { temporaryFolder, UBUNTU } from '../service/lab.js'
import { recordOf } from './records.js'

const kernel = (release: string) => ({ ...UBUNTU, release })
const ABSENT = { state: 'absent', answer: 'has it not' } as const

/** A service's asking, of a source that answers when the test says so. */
async function lab () {
  const index = await openKernelIndex({ directory: await temporaryFolder() })
  const contents = new Map([[hashOf('vmlinux'), contentOf('vmlinux')]])
  const asked: string[] = []
  const answers = new Map<string, (outcome: ModuleOutcome) => void>()
  const ask = async (name: string): Promise<ModuleOutcome> => {
    asked.push(name)
    return await new Promise(resolve => { answers.set(name, resolve) })
  }
  const source: KernelSource = {
    name: 'slow',
    candidates: async () => ({ state: 'listed', references: [] }),
    async fetch ({ release }) {
      const outcome = await ask(release)
      return outcome.state === 'found' ? ABSENT : outcome
    },
    fetchModule: async (_reference, module) => await ask(module)
  }
  const fetching = createFetching({
    sources: [
      source
    ],
    index,
    btfs: createFakeAccess(contents),
    self: 'self',
    trustUploads: false,
    settings: {},
    warn: () => {},
    jobs: createFetchJobs()
  })
  onTestFinished(async () => {
    fetching.close()
    for (const answer of answers.values()) answer(ABSENT)
    await index.close()
  })
  /** Codes of the calls that were refused. */
  const refusals: string[] = []
  const noted = (call: Promise<unknown>): Promise<unknown> =>
    call.catch((error: { readonly code: string }) => { refusals.push(error.code) })
  return {
    index,
    asked,
    refusals,
    answer: (name: string, outcome: ModuleOutcome = ABSENT) => { answers.get(name)?.(outcome) },
    obtain: (release: string, caller: string) => noted(fetching.obtain(kernel(release), [], caller)),
    obtainModule: (name: string, caller: string) => noted(fetching.obtainModules(index.named(UBUNTU), [name], caller))
  }
}

describe('a flood of requests for kernels that no source has, from one caller', () => {
  it('has three of them asked for at a time, few waiting, the rest refused, and a kernel of another caller asked for at once', async () => {
    const { asked, refusals, obtain, answer } = await lab()
    const flood: unknown[] = []
    for (let i = 0; i < 50; i++) flood.push(obtain(`fake-${i}`, 'flood'))
    await expect.poll(() => refusals).toEqual(Array.from({ length: 50 - 3 - 29 }, () => 'rate_limited'))
    expect(asked).toEqual(['fake-0', 'fake-1', 'fake-2'])
    const real = obtain('real', 'node')
    await expect.poll(() => asked).toEqual(['fake-0', 'fake-1', 'fake-2', 'real'])
    answer('real')
    await real
    expect(asked).toHaveLength(4)
  })

  it('does not keep others waiting for a kernel that it names too', async () => {
    const { asked, refusals, obtain, answer } = await lab()
    const flood: unknown[] = []
    for (let i = 0; i < 10; i++) flood.push(obtain(`fake-${i}`, 'flood'))
    const both = [obtain('real', 'flood')]
    expect(asked).not.toContain('real')
    both.push(obtain('real', 'node'))
    await expect.poll(() => asked).toContain('real')
    answer('real')
    await Promise.all(both)
    for (let i = 0; i < 10; i++) {
      await expect.poll(() => asked).toContain(`fake-${i}`)
      answer(`fake-${i}`)
    }
    expect(asked.filter(name => name === 'real')).toHaveLength(1)
    expect(refusals).toEqual([])
  })
})

describe('a kernel that a thousand callers want', () => {
  it('is asked for once, and leaves room in the queue for other kernels while all that may be asked for is', async () => {
    const { asked, refusals, obtain, answer } = await lab()
    const flood: unknown[] = []
    for (let i = 0; i < 12; i++) flood.push(obtain(`other-${i}`, `caller-${i}`))
    await expect.poll(() => asked).toHaveLength(12)
    const waiting = Array.from({ length: 1000 }, (_, i) => obtain('wanted', `node-${i}`))
    for (let i = 0; i < 500; i++) flood.push(obtain(`more-${i}`, `another-${i}`))
    answer('other-0')
    await expect.poll(() => asked).toContain('wanted')
    answer('wanted')
    await Promise.all(waiting)
    expect(refusals).toEqual([])
    expect(asked.filter(name => name === 'wanted')).toHaveLength(1)
  })
})

describe('a flood of requests for modules that no source has, from one caller', () => {
  it('has three of them asked for at a time, and the module of another caller at once', async () => {
    const { index, asked, refusals, obtainModule, answer } = await lab()
    const flood: unknown[] = []
    await index.put(recordOf(UBUNTU.release, { btfSha256: hashOf('vmlinux'), source: 'slow', modules: [] }))
    for (let i = 0; i < 50; i++) flood.push(obtainModule(`fake_${i}`, 'flood'))
    await expect.poll(() => refusals).toHaveLength(50 - 3 - 29)
    await expect.poll(() => asked).toHaveLength(3)
    const found = obtainModule('real', 'node')
    await expect.poll(() => asked).toEqual(['fake_0', 'fake_1', 'fake_2', 'real'])
    answer('real', { state: 'found', btf: sharedBtf(contentOf('module')), url: 'somewhere' })
    await found
    expect(index.named(UBUNTU)[0]?.modules).toMatchObject([{ name: 'real', btfSha256: hashOf('module') }])
  })
})

import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAgent } from '../../../src/agent/agent.js'
import { createCopies } from '../../../src/agent/copies.js'
import { createJournal } from '../../../src/agent/journal.js'
import { createLog } from '../../../src/agent/log.js'
import { createMetrics } from '../../../src/agent/metrics.js'
import type { NodeKernel } from '../../../src/agent/node.js'
import { createSchedule } from '../../../src/agent/schedule.js'
import type { Settler } from '../../../src/agent/settle.js'
import type { ObjectStatus } from '../../../src/agent/status.js'
import { hexOf, sha256 } from '../../../src/store/sha256.js'

const KERNEL: NodeKernel = {
  name: 'd/1/x86_64/6.1',
  reference: { distro: 'd', distroVersion: '1', arch: 'x86_64', release: '6.1' },
  problem: undefined,
  note: undefined,
  query: { release: '6.1', kernelVersion: '#1' },
  kernelVersion: '#1',
  btf: undefined,
  modules: [],
  modulesStamp: '',
  key: hexOf(sha256('6.1'))
}
const CURRENT: ObjectStatus = { shown: 'current', failure: undefined, isFinding: false }

/** An agent that watches a folder with two objects; what it needs fails as often as there are errors left. */
function watch (
  errors: { readonly identify?: unknown[], readonly settle?: unknown[], readonly show?: unknown[], readonly remove?: unknown[] }
) {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-loop-'))
  const objects = join(folder, 'objects')
  mkdirSync(objects)
  for (const name of ['bind.bpf.o', 'exec.bpf.o']) writeFileSync(join(objects, name), 'object')
  const logFile = join(folder, 'log')
  const descriptor = openSync(logFile, 'w')
  const metrics = createMetrics('0')
  const failing = (left: unknown[] = []): void => {
    if (left.length > 0) throw left.shift()
  }
  let kernel = KERNEL
  const settled: string[] = []
  const settler: Settler = {
    restore: async () => ({ shown: 'nothing', failure: undefined, isFinding: false }),
    async settle ({ query: { release } }, { name }) {
      failing(errors.settle)
      settled.push(`${name} for ${release}`)
      return { status: CURRENT, answer: undefined }
    },
    asksModules: () => false,
    async remove () { failing(errors.remove) }
  }
  const agent = createAgent({
    objects,
    pollMs: 1,
    spreadMs: 0,
    node: {
      async identify () {
        failing(errors.identify)
        return kernel
      }
    },
    copies: createCopies(join(folder, 'out')),
    settler,
    schedule: createSchedule({ refreshMs: 60_000, retryMs: 1 }),
    journal: createJournal(createLog('debug', () => {}, descriptor), metrics),
    onChange (statuses) {
      failing(errors.show)
      metrics.show(statuses)
    }
  })
  const stop = new AbortController()
  const watching = agent.watch(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await watching
    closeSync(descriptor)
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    settled,
    /** Another kernel runs from now on, and one of the objects is gone. */
    change () {
      rmSync(join(objects, 'bind.bpf.o'))
      kernel = { ...KERNEL, query: { ...KERNEL.query, release: '6.2' }, key: hexOf(sha256('6.2')) }
    },
    statusOf: (name: string) => agent.statuses?.get(name),
    logged: () =>
      readFileSync(logFile, 'utf8').split('\n').filter(line => line !== '').map(line => JSON.parse(line) as { level: number, msg: string }),
    counted: async () => (await metrics.render()).text.split('\n').find(line => line.startsWith('corelo_agent_unexpected_errors_total '))
  }
}

describe('an unexpected error in the loop of an agent', () => {
  it.each<[where: string, name: 'identify' | 'settle' | 'show']>([
    ['while it looks at the node', 'identify'],
    ['with one object', 'settle'],
    ['while it shows how objects stand', 'show']
  ])('%s is logged once, counted each time, and tried again until the object is settled', async (_where, name) => {
    const agent = watch({ [name]: [new TypeError('one mistake'), new TypeError('one mistake')] })
    await expect.poll(() => agent.statusOf('exec')).toEqual(CURRENT)
    expect(await agent.counted()).toBe('corelo_agent_unexpected_errors_total 2')
    const told = agent.logged().filter(({ msg }) =>
      msg.includes('something went wrong in the agent itself, which goes on and tries again: one mistake'))
    expect(told.map(({ level }) => level)).toEqual([50, 20])
  })

  it('leaves no object unsettled where it comes while the agent turns to another kernel', async () => {
    const errors = { remove: [] as unknown[] }
    const agent = watch(errors)
    await expect.poll(() => agent.settled).toEqual(['bind for 6.1', 'exec for 6.1'])
    errors.remove.push(new TypeError('one mistake'))
    agent.change()
    await expect.poll(() => agent.settled).toEqual(['bind for 6.1', 'exec for 6.1', 'exec for 6.2'])
    expect(errors.remove).toEqual([])
    expect(agent.statusOf('bind')).toBeUndefined()
  })

  it('is told apart from what an operator can mend, which is said and not counted', async () => {
    const agent = watch({
      identify: [Object.assign(new Error("EACCES: permission denied, open '/sys/kernel/btf/vmlinux'"), { code: 'EACCES' })]
    })
    await expect.poll(() => agent.statusOf('exec')).toEqual(CURRENT)
    expect(await agent.counted()).toBe('corelo_agent_unexpected_errors_total 0')
    expect(agent.logged()).toContainEqual(expect.objectContaining({
      level: 50, msg: expect.stringMatching(/^The agent cannot go on until this is mended: EACCES/)
    }))
  })
})

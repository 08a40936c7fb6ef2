import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createJournal, type Journal } from '../../../src/agent/journal.js'
import { createLog } from '../../../src/agent/log.js'
import { createMetrics } from '../../../src/agent/metrics.js'
import { AppError } from '../../../src/errors.js'

function open (): { readonly journal: Journal, readonly messages: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-journal-'))
  const path = join(folder, 'log')
  const descriptor = openSync(path, 'w')
  onTestFinished(() => {
    closeSync(descriptor)
    rmSync(folder, { recursive: true })
  })
  return {
    journal: createJournal(createLog('info', () => {}, descriptor), createMetrics('0')),
    messages: () => readFileSync(path, 'utf8').trim().split('\n').map(line => (JSON.parse(line) as { msg: string }).msg)
  }
}

describe('the log of the agent', () => {
  it('tells that a result is in the kernel after it told of the result', () => {
    const { journal, messages } = open()
    journal.loaded('exec', undefined)
    journal.restored('exec', { shown: 'last_good', failure: undefined, isFinding: false })
    journal.loaded('exec', undefined)
    journal.settled('exec', { shown: 'current', failure: undefined, isFinding: false }, undefined, undefined)
    expect(messages()).toEqual([
      expect.stringContaining('last good copy for this kernel is in place'),
      'loaded into the kernel and pinned',
      'the copy that is in place is the current one',
      'loaded into the kernel and pinned'
    ])
  })

  it('tells it after what kept a new result back, where an earlier one was loaded', () => {
    const { journal, messages } = open()
    journal.loaded('exec', undefined)
    const failure = new AppError('source_failed', 'The service is down.', { kind: 'transport' })
    journal.settled('exec', { shown: 'last_good', failure, isFinding: false }, undefined, 1000)
    expect(messages()).toEqual([expect.stringContaining('The service is down.'), 'loaded into the kernel and pinned'])
  })

  it('tells of a setting that cannot be used once, and again only when no object is kept back by it any more', () => {
    const { journal, messages } = open()
    const good = { shown: 'current', failure: undefined, isFinding: false } as const
    const failure = new AppError('invalid_request', 'No folder for pins.', { setting: 'CORELO_AGENT_PIN', stage: 'load' })
    const wrong = { ...good, failure }
    const settle = (name: string, status: typeof good | typeof wrong): void => { journal.settled(name, status, undefined, undefined) }
    const told = (): number => messages().filter(message => message.includes('No folder for pins.')).length
    for (const name of ['exec', 'bind', 'exec']) settle(name, wrong)
    settle('bind', good)
    settle('exec', wrong)
    expect(told()).toBe(1)
    settle('exec', good)
    settle('exec', wrong)
    expect(told()).toBe(2)
  })
})

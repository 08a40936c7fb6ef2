import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../../../src/http/log.js'

const LOG = join(import.meta.dirname, '../../../dist/http/log.js')

/** Messages that a process of its own wrote to standard output before it ended. */
async function messages (script: string): Promise<string[]> {
  const child = spawn(process.execPath, [
    '--input-type=module', '-e',
    `const { createLogger } = await import(${JSON.stringify(LOG)}); const log = createLogger('info'); ${script}`
  ], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return output.split('\n').filter(line => line !== '').map(line => (JSON.parse(line) as { msg: string }).msg)
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`)
const LINES = 'for (let i = 0; i < 2000; i++) log.info("line " + i);'

describe('a line whose members are JSON already', () => {
  const lines = (level: string): Array<Record<string, unknown>> => {
    const written: Array<Record<string, unknown>> = []
    const log = createLogger(level, { write: line => { written.push(JSON.parse(line)) } })
    log.info({ status: 200 }, 'request')
    log.json('info', () => '"status":200', 'request')
    return written.map(line => ({ ...line, time: typeof line['time'] }))
  }

  it('is as the logger itself writes it', () => {
    const [usual, quick] = lines('info')
    expect(quick).toEqual(usual)
  })

  it('is left out where the level is higher', () => { expect(lines('warn')).toEqual([]) })
})

describe('the log', () => {
  it('is whole and in order when the process ends by itself', async () => {
    expect(await messages(LINES)).toEqual(numbered(2000))
  })

  it('is whole and in order when the process exits', async () => {
    expect(await messages(`${LINES} setTimeout(() => { log.info('last'); process.exit(0) }, 20)`)).toEqual([...numbered(2000), 'last'])
  })

  it('has the last lines when the process exits at once', async () => {
    expect(await messages('log.info("first"); log.info("last"); process.exit(1)')).toEqual(['first', 'last'])
  })

  it('has what comes before a fatal line, and that line, when the process is killed right after it', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await messages('log.info("first"); log.fatal("last"); process.kill(process.pid, "SIGKILL")')).toEqual(['first', 'last'])
    }
  })

  it('has a line soon, though nothing comes after it', async () => {
    expect(await messages('log.info("alone"); setTimeout(() => { process.kill(process.pid, "SIGKILL") }, 600)')).toEqual(['alone'])
  })

  it('loses nothing in letters of several bytes', async () => {
    expect(await messages('for (let i = 0; i < 300; i++) log.info("日本語のログ".repeat(20)); process.exit(0)')).toHaveLength(300)
  })
})

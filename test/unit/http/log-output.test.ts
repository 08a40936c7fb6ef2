import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createLineOutput } from '../../../src/http/log-output.js'
import { errorCode } from '../../../src/store/error-code.js'

/** Both ends of a pipe that says EAGAIN where it has no room, or nothing to read. */
function openPipe (): number {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-pipe-'))
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  execFileSync('mkfifo', [join(folder, 'pipe')])
  const fd = openSync(join(folder, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => { closeSync(fd) })
  return fd
}

const isBusy = (error: unknown): boolean => errorCode(error) === 'EAGAIN'

function readAll (fd: number): string {
  const bytes = Buffer.alloc(1024 * 1024)
  let length = 0
  for (;;) {
    try {
      length += readSync(fd, bytes, length, bytes.length - length, null)
    } catch (error) {
      if (isBusy(error)) return bytes.toString('utf8', 0, length)
      throw error
    }
  }
}

/** Writes until there is no room. */
function fillPipe (fd: number): void {
  for (;;) {
    try {
      writeSync(fd, Buffer.alloc(1000, '-'))
    } catch (error) {
      if (isBusy(error)) return
      throw error
    }
  }
}

it('what an output had no room for comes before the lines that wait, also when the process exits', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => { vi.useRealTimers() })
  const fd = openPipe()
  fillPipe(fd)
  const output = createLineOutput(fd)
  const first = `${'x'.repeat(50_000)}\n` // so long that it is written at once
  output.write(first)
  await expect.poll(() => vi.getTimerCount()).toBe(1) // there was no room: it is to be tried again
  output.write('last\n')
  readAll(fd)
  output.flushSync()
  expect(readAll(fd)).toBe(`${first}last\n`)
})

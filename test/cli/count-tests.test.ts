import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { removeFoldersAfterEach, ROOT, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const good = { status: 'passed', assertionResults: [{ status: 'passed' }] }

/** What .ci/run would count. */
function count (report: object, exitStatus = 0): string {
  const file = join(temporaryFolder(), 'report.json')
  writeFileSync(file, JSON.stringify({ numPassedTests: 1, numFailedTests: 0, numTotalTests: 1, testResults: [good], ...report }))
  return spawnSync(process.execPath, [join(ROOT, 'scripts/count-tests.mjs'), file, String(exitStatus)], { encoding: 'utf8' }).stdout.trim()
}

describe('count-tests: passed, failed, skipped', () => {
  it('counts tests', () => {
    expect(count({ numPassedTests: 3, numTotalTests: 5 })).toBe('3 0 2')
  })

  it('counts a file that could not run as a failure', () => {
    expect(count({ testResults: [good, { name: 'x', status: 'failed', message: 'no such module', assertionResults: [] }] }, 1)).toBe(
      '1 1 0'
    )
  })

  it('counts a run that failed although every test passed', () => {
    expect(count({}, 1)).toBe('1 1 0')
  })

  it('takes a run without tests for a failure', () => {
    expect(count({ numPassedTests: 0, numTotalTests: 0, testResults: [] })).toBe('0 1 0')
  })

  it('counts a failing test once', () => {
    const failing = { name: 'x', status: 'failed', assertionResults: [{ status: 'failed', fullName: 'it', failureMessages: ['why'] }] }
    expect(count({ numFailedTests: 1, numTotalTests: 2, testResults: [good, failing] }, 1)).toBe('1 1 0')
  })
})

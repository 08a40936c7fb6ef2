// count-tests.mjs RESULT.json EXIT: sums vitest's JSON report up as "passed failed skipped", and names failing tests on standard
// error. A file that could not run at all, and a run that failed without a failing test (an unhandled rejection), count as one.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const [path, exitStatus] = process.argv.slice(2)
const { numPassedTests, numFailedTests, numTotalTests, testResults } = JSON.parse(readFileSync(path, 'utf8'))

let failed = numFailedTests
for (const { name, status, message, assertionResults } of testResults) {
  const failing = assertionResults.filter(test => test.status === 'failed')
  for (const { fullName, failureMessages } of failing) console.error(`${relative('', name)}: ${fullName}\n${failureMessages.join('\n')}\n`)
  if (status === 'failed' && failing.length === 0) {
    console.error(`${relative('', name)}: ${message}\n`)
    failed++
  }
}
if (failed === 0 && (exitStatus !== '0' || numPassedTests === 0)) failed = 1
console.log(`${numPassedTests} ${failed} ${numTotalTests - numPassedTests - numFailedTests}`)

// Runs the tests of `npm test` on a machine that is about ten times slower: niced beside busy loops. What fails only here depends on
// the clock.
//
//     npm run test:slowed               all of them, which takes most of an hour on two cores
//     npm run test:slowed -- --short    the files that have most to do with time
//
// Other arguments go to vitest. CORELO_SLOWED_MINUTES bounds the run; the loops end with it, also where this process is killed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const LOOPS_PER_CORE = 3
const NICENESS = '5'
/** Given to the process that has the tests and the loops in a session of its own. */
const INSIDE = '--inside'
/** Deadlines, retries and waiting in turn. `-- test/http/stopping.test.ts test/http/connections.test.ts` takes a minute and a half. */
const SHORT = [
  'test/unit/workers/admission.test.ts',
  'test/unit/client/retry.test.ts',
  'test/unit/http/deadline.test.ts',
  'test/unit/agent/schedule.test.ts',
  'test/unit/workers/fair-share.test.ts'
]
const root = fileURLToPath(new URL('..', import.meta.url))
/** vitest runs the others where there is nothing of one of these names. */
for (const file of SHORT) {
  if (!existsSync(`${root}${file}`)) throw new Error(`${file} does not exist: mend the list in scripts/test-slowed.mjs.`)
}
const minutes = Number(process.env.CORELO_SLOWED_MINUTES ?? 60)
if (!(minutes > 0)) throw new Error('CORELO_SLOWED_MINUTES must be a number of minutes above 0.')

const [first, ...rest] = process.argv.slice(2)
if (first === INSIDE) runTests(rest)
else runInSession(process.argv.slice(2).flatMap(argument => argument === '--short' ? SHORT : [argument]))

/** Linux shares the processors among sessions first (autogroup): loops in another session than the tests would slow nothing. */
function runInSession (args) {
  const session = spawn(process.execPath, [fileURLToPath(import.meta.url), INSIDE, ...args], { stdio: 'inherit', detached: true })
  const stop = () => { if (session.exitCode === null && session.signalCode === null) process.kill(-session.pid, 'SIGTERM') }
  const limit = setTimeout(() => {
    console.error(`The tests were not done after ${minutes} minutes.`)
    stop()
  }, minutes * 60_000)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)
  session.on('exit', code => {
    clearTimeout(limit)
    process.exitCode = code ?? 1
  })
}

function runTests (args) {
  /** A loop looks every tenth of a second whether its parent is still there, and knows its own end. */
  const loop = `const end = Date.now() + ${minutes * 60_000}
    while (process.ppid === ${process.pid} && Date.now() < end) for (const pause = Date.now() + 100; Date.now() < pause;);`
  const count = LOOPS_PER_CORE * availableParallelism()
  const loops = Array.from({ length: count }, () => spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }))
  const vitest = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...args]
  spawn('nice', ['-n', NICENESS, ...vitest], { cwd: root, stdio: 'inherit' }).on('exit', code => {
    for (const child of loops) child.kill()
    process.exitCode = code ?? 1
  })
}

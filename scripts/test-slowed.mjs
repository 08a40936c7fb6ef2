// Runs `npm test` on a machine that is about ten times slower: niced beside busy loops. What fails only here depends on the clock.
// Arguments after -- go to vitest. CORELO_SLOWED_MINUTES bounds the run; the loops end with it, also where this process is killed.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const LOOPS_PER_CORE = 3
const NICENESS = '5'
const minutes = Number(process.env.CORELO_SLOWED_MINUTES ?? 60)
if (!(minutes > 0)) throw new Error('CORELO_SLOWED_MINUTES must be a number of minutes above 0.')

const root = fileURLToPath(new URL('..', import.meta.url))
/** A loop looks every tenth of a second whether its parent is still there, and knows its own end. */
const loop = `const end = Date.now() + ${minutes * 60_000}; while (process.ppid === ${process.pid} && Date.now() < end) for (const pause = Date.now() + 100; Date.now() < pause;);`
const loops = Array.from({ length: LOOPS_PER_CORE * availableParallelism() }, () => spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }))

const vitest = process.argv.slice(2)
const tests = spawn('nice', ['-n', NICENESS, 'npm', 'test', ...(vitest.length === 0 ? [] : ['--', ...vitest])], { cwd: root, stdio: 'inherit', detached: true })
const stop = () => { if (tests.pid !== undefined && tests.exitCode === null) process.kill(-tests.pid, 'SIGTERM') }
const limit = setTimeout(() => {
  console.error(`The tests were not done after ${minutes} minutes.`)
  stop()
}, minutes * 60_000)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)

tests.on('exit', code => {
  clearTimeout(limit)
  for (const child of loops) child.kill()
  process.exitCode = code ?? 1
})

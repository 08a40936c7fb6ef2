// Runs the built command for one message after the other, in a process that has its modules loaded: see command.ts.
import { pathToFileURL } from 'node:url'

const [, , main] = process.argv
const address = pathToFileURL(main)
let runs = 0

process.on('disconnect', () => { process.exit() })
process.on('message', async ({ args, env, cwd, mark }) => {
  process.argv = [process.execPath, main, ...args]
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(cwd)
  process.exitCode = undefined
  address.search = `run=${++runs}` // otherwise it would be the module that has run already
  await import(address.href)
  const code = process.exitCode ?? 0
  // What a run listens to would otherwise be heard by the next one.
  process.stdout.removeAllListeners('error')
  for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal)
  process.stderr.write(`${mark}\n`)
  process.stdout.write(`${mark}${code}\n`)
})

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * User and system time of one run of the built command, from the start of its process to the end, in milliseconds: of all its threads, in
 * ticks of 10 ms. Nothing else that this process started may end meanwhile.
 *
 * @param codes exit codes that are no failure of the bench
 */
export async function commandCpuMs (args, settings, codes = [0]) {
  const before = ofEndedChildren()
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'bin', 'corelo.js'), ...args], {
    env: { ...process.env, ...settings }, stdio: 'ignore'
  })
  const code = await new Promise((resolve, reject) => { child.once('error', reject).once('exit', resolve) })
  if (!codes.includes(code)) throw new Error(`corelo ${args[0]} ended with ${code}`)
  return ofEndedChildren() - before
}

function ofEndedChildren () {
  const [user, system] = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /, '').split(' ').slice(13, 15).map(Number)
  return (user + system) * 10
}

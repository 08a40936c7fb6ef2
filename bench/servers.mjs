import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** Starts a server of this folder as a process of its own, which prints `{"address": …}` once it listens. */
export async function startServer (file, env) {
  const child = spawn(process.execPath, [join(import.meta.dirname, file)], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const address = await new Promise((resolve, reject) => {
    let output = ''
    child.stdout.on('data', data => {
      output += data
      const line = output.split('\n').find(text => text.includes('"address"'))
      if (line !== undefined) resolve(JSON.parse(line).address)
    })
    child.on('exit', code => reject(new Error(`${file} ended with ${code}`)))
  })
  return { child, address }
}

export async function stopServer ({ child }) {
  const ended = new Promise(resolve => child.on('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** Starts the measure: bare Fastify. */
export async function startBare () { return await start([join(import.meta.dirname, 'bare-server.mjs')], {}) }

/** Starts the service as an operator does, with its default settings (its log included) but for those given. */
export async function startService (settings) {
  return await start([join(import.meta.dirname, '..', 'dist', 'cli', 'main.js'), 'serve'], { CORELO_PORT: '0', CORELO_BTFHUB_URL: '', CORELO_TRUST_UPLOADS: 'true', ...settings })
}

async function start (args, env) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const address = await new Promise((resolve, reject) => {
    let output = ''
    child.stdout.on('data', data => {
      if (output === undefined) return
      output += data
      const found = /http:\/\/[0-9.]+:[0-9]+/.exec(output)
      if (found === null) return
      output = undefined
      resolve(found[0])
    })
    child.on('exit', code => reject(new Error(`${args.join(' ')} ended with ${code}`)))
  })
  return { child, address }
}

export async function stopServer ({ child }) {
  const ended = new Promise(resolve => child.on('exit', resolve))
  child.kill('SIGINT')
  await ended
}

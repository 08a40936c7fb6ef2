// An S3-compatible server that is somebody else's, from the package registry that npm is set up for.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Needs no download beyond its JavaScript. It is no dependency of the project: nothing but this script runs it. */
const PACKAGE = 's3rver@3.7.1'
const BUCKET = 'fleet'

/**
 * Installs and starts it on loopback.
 *
 * @returns {Promise<{ settings: Record<string, string>, close: () => Promise<void> }>} settings of a service that uses it
 */
export async function startSharedStore (folder) {
  mkdirSync(folder, { recursive: true })
  const { status, stderr } = spawnSync(
    'npm', ['install', '--silent', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', folder, PACKAGE], { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(`${PACKAGE} cannot be installed: ${stderr}`)
  const child = spawn(process.execPath, [
    join(folder, 'node_modules/s3rver/bin/s3rver.js'), '-d', join(folder, 'data'), '-a', '127.0.0.1', '-p', '0',
    '--no-vhost-buckets', '--configure-bucket', BUCKET
  ], { stdio: ['ignore', 'pipe', 'pipe'] })
  const url = await new Promise((resolve, reject) => {
    let output = ''
    const read = data => {
      output += data
      const port = /127\.0\.0\.1:(\d+)/.exec(output)?.[1]
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', code => reject(new Error(`the S3 server ended with ${code}: ${output}`)))
  })
  return {
    settings: {
      CORELO_SHARED_STORE: `s3://${BUCKET}/herd`,
      AWS_ENDPOINT_URL: url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER'
    },
    async close () {
      const ended = new Promise(resolve => child.on('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
  }
}

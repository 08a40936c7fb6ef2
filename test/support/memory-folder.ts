import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
/** Bytes that must be free there: many times what the tests have there at a time. */
const ENOUGH = 1024 ** 3

/** Why temporary folders of tests stay where the system makes them; undefined where memory takes them. */
function refusal (): string | undefined {
  if (process.env['TMPDIR'] !== undefined) return 'TMPDIR says where'
  try {
    const mounted = readFileSync('/proc/self/mounts', 'utf8').split('\n').map(line => line.split(' ')).find(([, path]) => path === MEMORY)
    if (mounted?.[2] !== 'tmpfs' || mounted[3]?.split(',').includes('noexec') === true) return 'there is no tmpfs that may run programs'
    accessSync(MEMORY, constants.W_OK)
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize < ENOUGH ? 'there is too little room' : undefined
  } catch (error) {
    return String(error)
  }
}

/**
 * Puts the temporary folders of all tests into memory, where that can be: thousands of small files, each of which the service brings to
 * the disk before it answers, cost more there than most of what is tested with them. Tests of a failing or full disk mount their own.
 */
export function setup (): (() => void) | undefined {
  if (refusal() !== undefined) return undefined
  const folder = mkdtempSync(join(MEMORY, 'corelo-tests-'))
  chmodSync(folder, 0o1777) // some tests run as another user
  process.env['TMPDIR'] = folder
  return () => {
    delete process.env['TMPDIR']
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

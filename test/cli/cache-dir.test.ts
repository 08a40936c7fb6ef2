import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEAD_ADDRESS } from '../agent/support.js'
import { corelo, EXEC, removeFoldersAfterEach, SAMPLE, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

/** Of a distribution that no machine runs: the running kernel must not come between. */
const KERNEL = 'acme/1/x86_64/6.1.0-1'
const TASK = 'struct task_struct'

describe('--cache-dir', () => {
  it.each([
    ['relocate', [EXEC, '--kernel', KERNEL, '--json']],
    ['check', [EXEC, '--kernels', 'acme/*/*/*']],
    ['btf min', [EXEC, '--kernel', KERNEL, '-o', '-']],
    ['btf types', [TASK, '--kernel', KERNEL]],
    ['btf diff', [TASK, '--from', KERNEL, '--to', KERNEL]],
    ['btf history', [TASK, '--kernels', 'acme/*/*/*']]
  ])('has corelo %s find kernels in another folder than that of the settings, and is not for a service', async (name, args) => {
    const folder = temporaryFolder()
    const [cache, other] = [join(folder, 'cache'), join(folder, 'other')]
    const named = ['--distro', 'acme', '--distro-version', '1', '--arch', 'x86_64', '--release', '6.1.0-1']
    expect(await corelo(['btf', 'import', SAMPLE, ...named, '--cache-dir', cache])).toMatchObject({ code: 0 })
    const run = async (...more: readonly string[]) =>
      await corelo([...name.split(' '), ...args, ...more], { env: { CORELO_CACHE_DIR: other } })
    expect(await run('--cache-dir', cache)).toMatchObject({ code: 0 })
    expect(await run()).toMatchObject({ code: 3 })
    expect(await run('--cache-dir', cache, '--server', DEAD_ADDRESS)).toMatchObject({
      code: 2, stderr: expect.stringContaining('leave --cache-dir out')
    })
  })
})

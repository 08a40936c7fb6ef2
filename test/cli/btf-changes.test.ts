import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { cleanUpAfterAll, DEAD_ADDRESS, startService, temporaryFolder as folderOf } from '../agent/support.js'
import { shapes, TASKS, withSerial } from '../support/task-btfs.js'
import { corelo, removeFoldersAfterEach, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()
const cleanup = cleanUpAfterAll()

/** Kernels of a distribution that no machine runs: the running kernel must not come between. */
const KERNELS = {
  '5.10.0-8-amd64': withSerial(TASKS.old(), 8),
  '5.10.0-10-amd64': withSerial(TASKS.old(), 10),
  '6.1.0-9-amd64': withSerial(TASKS.renamed(), 9)
}
const ACME = 'acme/1/x86_64'
const [OLD, NEW] = [`${ACME}/5.10.0-10-amd64`, `${ACME}/6.1.0-9-amd64`]

async function importAll (...place: readonly string[]): Promise<void> {
  for (const [release, bytes] of Object.entries(KERNELS)) {
    const file = join(temporaryFolder(), 'vmlinux.btf')
    writeFileSync(file, bytes)
    const named = ['--distro', 'acme', '--distro-version', '1', '--arch', 'x86_64', '--release', release]
    const { code, stderr } = await corelo(['btf', 'import', file, ...named, ...place])
    expect(code, stderr).toBe(0)
  }
}

let cache = ''
beforeAll(async () => {
  cache = join(folderOf(cleanup), 'cache')
  await importAll('--cache-dir', cache)
})

/** Runs a command here, over a cache with the kernels. */
async function run (...args: readonly string[]) {
  const { code, stdout, stderr } = await corelo(['btf', ...args], { env: { CORELO_CACHE_DIR: cache } })
  return { code, text: stdout.toString(), stderr }
}

const HISTORY = [
  'KERNELS              FIRST           LAST             HELD  AT  MEMBER',
  'acme 1 x86_64 amd64  5.10.0-8-amd64  5.10.0-10-amd64  2     16  state: volatile long int',
  'acme 1 x86_64 amd64  6.1.0-9-amd64   6.1.0-9-amd64    1     24  __state: unsigned int',
  ''
].join('\n')

describe('corelo btf diff', () => {
  it('prints what differs between two kernels of the cache, and says by its exit code whether anything does', async () => {
    expect(await run('diff', 'struct task_struct', '--from', OLD, '--to', NEW)).toEqual({
      code: 1,
      stderr: '',
      text: [
        `struct task_struct: 64 bytes in ${OLD}, 64 bytes in ${NEW}`,
        'CHANGE                            FROM  TO  MEMBER',
        'resized                           0     0   thread_info: struct thread_info',
        'renamed, moved, resized, retyped  16    24  state: volatile long int  ->  __state: unsigned int',
        'moved                             24    32  pid: long int',
        ''
      ].join('\n')
    })
    const same = await run('diff', 'struct task_struct', '--from', `${ACME}/5.10.0-8-amd64`, '--to', OLD)
    expect(same).toMatchObject({ code: 0, text: expect.stringContaining('3 members are the same in both.') })
    const json = await run('diff', 'struct task_struct', '--from', OLD, '--to', NEW, '--json')
    expect(JSON.parse(json.text)).toMatchObject({ is_same: false, from: { kernel: OLD }, types: [{ change: 'changed' }] })
  })

  it('takes files, and enumerations and typedefs too', async () => {
    const folder = temporaryFolder()
    const files = [false, true].map((isNew, i) => {
      const file = join(folder, `${i}.btf`)
      writeFileSync(file, shapes(isNew))
      return ['--btf', file]
    }).flat()
    const text = async (type: string): Promise<string> => (await corelo(['btf', 'diff', type, ...files])).stdout.toString()
    expect(await text('enum color')).toContain('\nchanged  1     3   GREEN\n2 enumerators are the same in both.\n')
    expect(await text('shape_t')).toMatch(/^shape_t: int in .*0\.btf, long long in .*1\.btf\n$/)
    expect(await text('struct only_new')).toMatch(/^struct only_new: not there in .*, 4 bytes in .*\n.*\nadded {9}0 {3}a: int\n$/)
    expect(await text('struct shape')).toMatch(/^moved, resized +56:0 +72:0 +flags: unsigned int:2 {2}-> {2}flags: unsigned int:3$/m)
  })

  it('says what is wrong', async () => {
    const task = 'struct task_struct'
    expect(await run('diff', task)).toMatchObject({ code: 2, stderr: expect.stringContaining('Name the kernel to compare with') })
    expect(await run('diff', 'struct a b', '--from', OLD)).toMatchObject({ code: 2, stderr: expect.stringContaining('is no type') })
    expect(await run('diff', task, '--from', OLD, '--server', DEAD_ADDRESS)).toMatchObject({
      code: 2, stderr: expect.stringContaining('name both kernels')
    })
    expect(await run('diff', task, '--from', OLD, '--token-file', 'x')).toMatchObject({ code: 2 })
    expect(await run('diff', 'struct nobody', '--from', OLD, '--to', NEW)).toMatchObject({
      code: 3, stderr: expect.stringContaining('Neither kernel has a type struct nobody.')
    })
    expect(await run('diff', task, '--from', OLD, '--to', `${ACME}/9.9.9`)).toMatchObject({ code: 3 })
    expect(await run('diff', task, '--from', OLD, '--to', NEW, '--server', DEAD_ADDRESS)).toMatchObject({ code: 3 })
  })
})

describe('corelo btf history', () => {
  it('prints in which releases a member was where', async () => {
    expect(await run('history', 'struct task_struct', '--member', 'state', '--kernels', `${ACME}/*`)).toEqual({
      code: 0, stderr: '', text: HISTORY
    })
    expect((await run('history', 'struct task_struct', '--kernels', `${ACME}/6*`)).text).toMatch(
      /6\.1\.0-9-amd64 {2}1 {9}struct task_struct, 64 bytes\n$/
    )
    expect((await run('history', 'struct task_struct', '-m', 'nobody', '-k', `${ACME}/*`)).text).toMatch(/ 3 {9}\(no such member\)\n$/)
    const json = await run('history', 'struct task_struct', '-m', 'pid', '-k', `${ACME}/*`, '--json')
    expect(JSON.parse(json.text)).toMatchObject({ kernels: 3, ranges: [{ kernels: 2 }, { kernels: 1 }], left_out: [] })
  })

  it('exits with 1 where no kernel has the member, and asks whether one of a near name was meant', async () => {
    const history = async (member: string, ...place: string[]) =>
      await run('history', 'struct task_struct', '-m', member, '-k', `${ACME}/*`, ...place)
    expect(await history('thread_inof')).toMatchObject({
      code: 1,
      text: expect.stringContaining('(no such member)'),
      stderr: 'None of the 3 kernels has a struct task_struct with member thread_inof. Did you mean thread_info?\n'
    })
    expect(await history('thread_inof.cpu')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean thread_info.cpu?') })
    expect(await history('nobody')).toMatchObject({ code: 1, stderr: expect.stringMatching(/with member nobody\.\n$/) })
    expect(await history('pid')).toMatchObject({ code: 0, stderr: '' })
  })

  it('says what is wrong, and which patterns mean nothing', async () => {
    expect(await run('history', 'struct task_struct', '-m', 'a->b')).toMatchObject({
      code: 2, stderr: expect.stringContaining('"a->b" is no member')
    })
    expect(await run('history', 'struct task_struct', '-k', 'a b')).toMatchObject({
      code: 2, stderr: expect.stringContaining('is no pattern of kernels')
    })
    expect(await run('history', 'struct nobody', '-k', `${ACME}/*`)).toMatchObject({
      code: 3, stderr: expect.stringContaining('None of the 3 kernels has a struct nobody.')
    })
    expect(await run('history', 'struct task_struct', '-k', 'acme/2/*/*')).toMatchObject({
      code: 3, stderr: expect.stringContaining('No kernel that is held matches')
    })
    expect(await run('history', 'struct task_struct', '-m', 'state', '-k', `${ACME}/*`, '-k', 'acme/2/*/*'))
      .toEqual({ code: 3, text: HISTORY, stderr: 'No kernel that is held matches acme/2/*/*.\n' })
  })
})

describe('corelo btf types, diff and history with --server', () => {
  it('ask whether a near name was meant, as they do here', async () => {
    const { url } = await startService(cleanup, { hasSample: false })
    await importAll('--server', url)
    for (const [args, meant] of [
      [['history', 'struct task_struct', '--member', 'thread_inof', '--kernels', `${ACME}/*`], 'thread_info'],
      [['types', 'struct task_strct', '--kernel', OLD], 'struct task_struct'],
      [['diff', 'struct task_strct', '--from', OLD, '--to', NEW], 'struct task_struct']
    ] as const) {
      const here = await run(...args)
      expect(here.stderr).toContain(`Did you mean ${meant}?`)
      const there = await run(...args, '--server', url)
      expect(there.code).toBe(here.code)
      expect(there.stderr).toContain(`Did you mean ${meant}?`)
    }
  })

  it('print what they print here', async () => {
    const { url } = await startService(cleanup, { hasSample: false })
    await importAll('--server', url)
    const task = 'struct task_struct'
    for (const args of [
      ['diff', task, '--from', OLD, '--to', NEW],
      ['history', task, '--member', 'state', '--kernels', `${ACME}/*`],
      ['types', task, '--kernel', OLD],
      ['types', task, '--kernel', '6.1.0-9-amd64'],
      ['types', '--kernel', OLD],
      ['types', '--search', 'th', '--member', 'flags', '--kernel', OLD],
      ['types', '--search', '', '--kernel', OLD, '--json']
    ]) expect([args, await run(...args, '--server', url)]).toEqual([args, await run(...args)])
    expect(await run('types', task, '--kernel', '9.9.9', '--server', url)).toMatchObject({
      code: 3, stderr: expect.stringContaining('knows no kernel 9.9.9')
    })
    expect(await run('types', task, '--btf', 'x', '--server', url)).toMatchObject({ code: 2 })
  })
})

describe('corelo btf types', () => {
  it('lists types by the beginning of their names and by a member', async () => {
    expect((await run('types', '--member', 'flags', '--kernel', OLD)).text).toBe([
      'KIND    NAME         BYTES  AT  MEMBER', 'struct  thread_info  16     0   flags: long int',
      'struct  thread_info  24     0   flags: long int', ''
    ].join('\n'))
    expect(await run('types', 'pid_t', '--search', 'x', '--kernel', OLD)).toMatchObject({
      code: 2, stderr: expect.stringContaining('leave TYPE out')
    })
    expect(await run('types', '--search', 'a-b', '--kernel', OLD)).toMatchObject({ code: 2, stderr: expect.stringContaining('is no name') })
  })
})

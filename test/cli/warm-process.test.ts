import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createWarmProcesses, type Run, type WarmOptions, type WarmProcesses } from '../support/command.js'
import { removeFoldersAfterEach, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

/** Processes that run this text, to which its command is `args`. */
function running (text: string, options: Partial<WarmOptions> = {}): {
  run (...args: readonly string[]): ReturnType<WarmProcesses['run']>
} {
  const cwd = temporaryFolder()
  const main = join(cwd, 'main.mjs')
  writeFileSync(main, `const [, , ...args] = process.argv\n${text}`)
  const processes = createWarmProcesses({ main, ...options })
  return { run: async (...args) => await processes.run({ args, env: {}, cwd }) }
}

const textOf = ({ stdout }: Run): string => stdout.toString()

/** Whether there is a process of this id. */
function isThere (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a process that runs one command after the other', () => {
  it('is the same for the next command, which gets its own arguments, output and exit code', async () => {
    const { run } = running('console.log(process.pid, ...args); console.error("wrong"); process.exitCode = args.length')
    const [first, second] = [await run('a'), await run('b', 'c')]
    expect([first, second]).toMatchObject([{ code: 1, stderr: 'wrong\n' }, { code: 2, stderr: 'wrong\n' }])
    expect([textOf(first), textOf(second)]).toEqual([`${parseInt(textOf(first))} a\n`, `${parseInt(textOf(first))} b c\n`])
  })

  it.each([
    ['ends', 'process.exit(3)', 3],
    ['is killed', 'process.kill(process.pid, "SIGKILL")', 'SIGKILL'],
    ['throws while nothing waits for it', 'setImmediate(() => { throw new Error("late") }); await new Promise(() => {})', 1]
  ])('rejects the command during which it %s, with what was printed, and another one runs the next', async (_how, end, status) => {
    const { run } = running(`process.stdout.write("printed ")\nif (args[0] === "end") { ${end} }`)
    await expect(run('end')).rejects.toThrow(new RegExp(`^end: the command ended its process \\(${status}\\)\n.*printed`, 's'))
    expect(await run('stay')).toMatchObject({ code: 0, stdout: Buffer.from('printed ') })
  })

  it('is followed by another one where it has ended between two commands', async () => {
    const { run } = running('console.log(process.pid)')
    const first = parseInt(textOf(await run()))
    process.kill(first, 'SIGKILL')
    await expect.poll(() => isThere(first)).toBe(false)
    expect(parseInt(textOf(await run()))).not.toBe(first)
  })

  it('rejects the command that it is sent in the moment in which it ends', async () => {
    const { run } = running('console.log(process.pid)')
    process.kill(parseInt(textOf(await run())), 'SIGKILL')
    await expect(run()).rejects.toThrow()
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('is killed where a command does not end', async () => {
    await expect(running('await new Promise(() => {})', { limitMs: 1 }).run('a')).rejects.toThrow(
      'a: the command ended its process (SIGKILL)'
    )
  })

  it('rejects the command for which it could not be started', async () => {
    await expect(running('', { execPath: '/nowhere/node' }).run('a')).rejects.toThrow(/^a: .*ENOENT/)
  })
})

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { DEAD_ADDRESS } from '../agent/support.js'
import { corelo, EXEC, MAIN, removeFoldersAfterEach, ROOT, SAMPLE, temporaryFolder, UNGUARDED } from '../cli/corelo.js'

removeFoldersAfterEach()

interface Step { readonly id: string, readonly env?: Readonly<Record<string, string>>, readonly run?: string, readonly uses?: string }
interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string }>>
  readonly runs: { readonly using: string, readonly steps: readonly Step[] }
}

const ACTION = parse(readFileSync(join(ROOT, 'deploy/ci/github/action.yml'), 'utf8')) as Action
const GITLAB = parse(readFileSync(join(ROOT, 'deploy/ci/gitlab/corelo-check.yml'), 'utf8')) as {
  readonly '.corelo-check': {
    readonly variables: Readonly<Record<string, string>>
    readonly script: readonly string[]
    readonly artifacts: { readonly paths: readonly string[], readonly reports: { readonly junit: string } }
  }
}

/** A workspace with two objects, one kernel in a cache, and the list of the fleet. */
async function workspace (): Promise<{ readonly folder: string, readonly env: NodeJS.ProcessEnv }> {
  const folder = temporaryFolder()
  const cache = join(folder, 'cache')
  const named = ['--distro', 'acme', '--distro-version', '1', '--arch', 'x86_64', '--release', '6.1.0-1']
  expect(await corelo(['btf', 'import', SAMPLE, ...named, '--cache-dir', cache])).toMatchObject({ code: 0 })
  mkdirSync(join(folder, '.corelo'))
  writeFileSync(join(folder, '.corelo/kernels'), 'acme/1/x86_64/*\n')
  await copyFile(EXEC, join(folder, 'exec.bpf.o'))
  await copyFile(UNGUARDED, join(folder, 'unguarded.bpf.o'))
  return { folder, env: { PATH: process.env['PATH'], CORELO_CACHE_DIR: cache, NO_COLOR: '1' } }
}

interface Ran { readonly code: number | null, readonly verdict: string | undefined, readonly summary: string, readonly stderr: string }

/** Runs the steps of the action as a runner does: what is between `${{ }}` is put in, outputs go from step to step. */
function runAction (folder: string, env: NodeJS.ProcessEnv, given: Readonly<Record<string, string>>): Ran {
  const outputs = new Map<string, string>()
  const inputs = {
    ...Object.fromEntries(Object.entries(ACTION.inputs).map(([name, input]) => [name, input.default ?? ''])),
    command: `${process.execPath} ${MAIN}`,
    ...given
  }
  const valueOf = (expression: string): string => {
    const [, input, step, output] = /^(?:inputs\.([\w-]+)|steps\.(\w+)\.outputs\.(\w+))$/.exec(expression.trim()) ?? []
    const value = input === undefined ? outputs.get(`${step}.${output}`) : Object.entries(inputs).find(([name]) => name === input)?.[1]
    if (value === undefined) throw new Error(`nothing is known of ${expression}`)
    return value
  }
  const [outputFile, summaryFile] = [join(folder, 'output'), join(folder, 'summary')]
  writeFileSync(summaryFile, '')
  let ran = { code: 0 as number | null, stderr: '' }
  for (const { id, env: stepEnv = {}, run = '' } of ACTION.runs.steps) {
    writeFileSync(outputFile, '')
    const filled = Object.fromEntries(Object.entries(stepEnv).map(([name, value]) =>
      [name, value.replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => valueOf(expression))]))
    const { status, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run], {
      cwd: folder,
      env: {
        ...env, ...filled, GITHUB_OUTPUT: outputFile, GITHUB_STEP_SUMMARY: summaryFile, GITHUB_ACTION_PATH: join(ROOT, 'deploy/ci/github')
      },
      encoding: 'utf8'
    })
    for (const line of readFileSync(outputFile, 'utf8').split('\n').filter(line => line !== '')) {
      outputs.set(`${id}.${line.slice(0, line.indexOf('='))}`, line.slice(line.indexOf('=') + 1))
    }
    ran = { code: status, stderr }
    if (status !== 0) break
  }
  return { ...ran, verdict: outputs.get('check.verdict'), summary: readFileSync(summaryFile, 'utf8') }
}

describe('the action for GitHub', () => {
  it('uses nothing of others, and puts no input into a script', () => {
    expect(ACTION.runs.using).toBe('composite')
    for (const { uses, run } of ACTION.runs.steps) {
      expect(uses).toBeUndefined()
      expect(run).not.toContain('${{')
    }
  })

  it('passes where all objects load, and writes all forms', async () => {
    const { folder, env } = await workspace()
    expect(runAction(folder, env, { objects: 'exec.bpf.o\n' })).toMatchObject({ code: 0, verdict: 'passes' })
    for (const name of ['check.json', 'junit.xml', 'check.sarif', 'check.html', 'check.txt']) {
      expect(existsSync(join(folder, 'corelo-check', name)), name).toBe(true)
    }
  })

  it('fails where one does not, says why in the summary, and passes with that as the baseline', async () => {
    const { folder, env } = await workspace()
    const failed = runAction(folder, env, { objects: '*.bpf.o' })
    expect(failed).toMatchObject({ code: 1, verdict: 'fails', stderr: expect.stringContaining('unguarded.bpf.c:22') })
    expect(failed.summary).toMatch(/^### corelo check\n\n( {4}.*\n)+$/)
    const baseline = join(folder, 'earlier.json')
    await copyFile(join(folder, 'corelo-check/check.json'), baseline)
    expect(runAction(folder, env, { objects: '*.bpf.o', baseline })).toMatchObject({ code: 0, verdict: 'passes' })
    expect(runAction(folder, env, { objects: '*.bpf.o', baseline: 'not-there.json' })).toMatchObject({ code: 1 })
  })

  it('tells what cannot be told from a pass, unless that is wanted', async () => {
    const { folder, env } = await workspace()
    writeFileSync(join(folder, 'others'), 'acme/2/x86_64/*\n')
    const given = { objects: 'exec.bpf.o', 'kernels-file': 'others' }
    expect(runAction(folder, env, given)).toMatchObject({ code: 3, verdict: 'undecided' })
    expect(runAction(folder, env, { ...given, undecided: 'pass' })).toMatchObject({ code: 0, verdict: 'undecided' })
    expect(runAction(folder, env, { objects: 'missing/*.o' })).toMatchObject({ code: 2 })
  })

  it.each([
    ['an object is none', { objects: 'broken.bpf.o' }],
    ['the list of kernels is not there', { 'kernels-file': 'nowhere' }],
    ['the service does not answer', { server: DEAD_ADDRESS }]
  ])('never passes where %s: nothing was checked then', async (_what, given) => {
    const { folder, env } = await workspace()
    writeFileSync(join(folder, 'broken.bpf.o'), 'none')
    expect(runAction(folder, env, { objects: 'exec.bpf.o', undecided: 'pass', ...given })).toMatchObject({ code: 3, verdict: 'undecided' })
  })
})

describe('the template for GitLab', () => {
  const job = GITLAB['.corelo-check']
  const run = (folder: string, env: NodeJS.ProcessEnv, variables: Readonly<Record<string, string>>) => spawnSync('sh', [
    '-e', '-c', job.script.join('\n')
  ], {
    cwd: folder,
    env: { ...env, ...job.variables, CORELO_CHECK_COMMAND: `${process.execPath} ${MAIN}`, ...variables },
    encoding: 'utf8'
  })

  it('passes and fails with the objects, and leaves the reports that it names', async () => {
    const { folder, env } = await workspace()
    expect(run(folder, env, { CORELO_CHECK_OBJECTS: 'exec.bpf.o' }).status).toBe(0)
    const failed = run(folder, env, { CORELO_CHECK_OBJECTS: '*.bpf.o', CORELO_CHECK_TOKEN: '' })
    expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining('unguarded.bpf.c:22')])
    expect(existsSync(join(folder, job.artifacts.reports.junit))).toBe(true)
    await copyFile(join(folder, 'corelo-check/check.json'), join(folder, 'earlier.json'))
    expect(run(folder, env, { CORELO_CHECK_OBJECTS: '*.bpf.o', CORELO_CHECK_BASELINE: 'earlier.json' }).status).toBe(0)
  })
})

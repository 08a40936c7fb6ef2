import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { corelo, removeFoldersAfterEach, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0

/** What bash offers after the words, of which the last is being written. */
async function completeInBash (words: readonly string[]): Promise<string[]> {
  const script = join(temporaryFolder(), 'corelo.bash')
  writeFileSync(script, (await corelo(['completion', 'bash'])).stdout)
  const quoted = words.map(word => `'${word}'`).join(' ')
  const { stdout, stderr } = spawnSync('bash', [
    '-c', `source "$0"; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _corelo; printf '%s\\n' "\${COMPREPLY[@]}"`, script
  ], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.split('\n').filter(line => line !== '')
}

describe.skipIf(!has('bash'))('completion in bash', () => {
  it.each([
    [['corelo', 'rel'], ['relocate']],
    [['corelo', 'btf', ''], ['import', 'list', 'export']],
    [['corelo', 'btf', 'list', '--ser'], ['--server']],
    [['corelo', 'relocate', 'x.bpf.o', '--on'], ['--on-unresolved']],
    [['corelo', 'relocate', 'x'], []]
  ])('%j is completed with %j', async (words, expected) => {
    expect(await completeInBash(words)).toEqual(expect.arrayContaining(expected))
    if (expected.length === 0) expect(await completeInBash(words)).toEqual([])
  })
})

describe.skipIf(!has('fish'))('completion in fish', () => {
  it.each([
    ['corelo rel', 'relocate'], ['corelo btf list --ser', '--server'], ['corelo btf ', 'import'],
    ['corelo relocate --on', '--on-unresolved']
  ])('%s is completed with %s', async (line, expected) => {
    const script = join(temporaryFolder(), 'corelo.fish')
    writeFileSync(script, (await corelo(['completion', 'fish'])).stdout)
    const { stdout, stderr } = spawnSync('fish', ['-c', `source ${script}; complete -C '${line}'`], { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(stdout.split('\n').map(row => row.split('\t', 1)[0])).toContain(expected)
  })
})

describe('corelo completion', () => {
  it.each(['zsh', 'fish'])('prints a script that %s can read', async shell => {
    const { stdout, code } = await corelo(['completion', shell], { isAlone: true })
    expect(code).toBe(0)
    expect(stdout.toString()).toContain('on-unresolved')
    if (!has(shell)) return
    const script = join(temporaryFolder(), 'script')
    writeFileSync(script, stdout)
    expect(spawnSync(shell, ['-n', script], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })

  it('says which shells there are', async () => {
    expect(await corelo(['completion', 'tcsh'])).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh, fish') })
    expect(await corelo(['completion'])).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh or fish') })
  })
})

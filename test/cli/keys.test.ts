import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseTokens } from '../../src/http/access/tokens.js'
import { sha256 } from '../../src/store/sha256.js'
import { form, startAppWith } from '../http/harness.js'
import { fooBtf, fooObject, startService, temporaryFolder as serviceFolder } from '../unit/service/lab.js'
import { corelo, coreloText, removeFoldersAfterEach, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const KERNEL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const THUMBPRINT = /^[\w-]{43}\n$/

const text = (run: { stdout: Buffer }): string => run.stdout.toString()
const kidsIn = (file: string): string[] => [...readFileSync(file, 'utf8').matchAll(/^Key: (.+)$/gm)].map(([, kid]) => kid ?? '')
const generated = async (file: string, ...args: string[]): Promise<string> => {
  const run = await corelo(['keys', 'generate', file, ...args])
  expect(run).toMatchObject({ code: 0, stderr: '' })
  return text(run).trim()
}

describe('corelo keys', () => {
  it('lists its commands, and the options of each', async () => {
    const overview = await corelo(['keys', '--help'])
    expect(overview.code).toBe(0)
    for (const command of ['generate', 'show', 'rotate', 'verify', 'token']) {
      expect(text(overview)).toContain(`  ${command}`)
      const help = await corelo(['keys', command, '--help'])
      expect(help.code).toBe(0)
      expect(text(help)).toMatch(new RegExp(`^Usage: corelo keys ${command} `))
    }
    expect(await corelo(['keys'])).toMatchObject({ code: 2, stderr: overview.stdout.toString() })
  })

  it('suggests the command that was meant', async () => {
    for (const args of [['rotat'], ['rotat', '--help']]) {
      expect(await corelo(['keys', ...args])).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean rotate?') })
    }
  })
})

describe('corelo keys generate', () => {
  it('makes a key that only its owner can read, and tells its thumbprint', async () => {
    const file = join(temporaryFolder(), 'new', 'key.pem')
    const run = await corelo(['keys', 'generate', file], { isAlone: true })
    expect(text(run)).toMatch(THUMBPRINT)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(kidsIn(file)).toEqual([text(run).trim()])
  })

  it('never replaces a file', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    writeFileSync(file, 'mine')
    expect(await corelo(['keys', 'generate', file])).toMatchObject({ code: 2, stderr: expect.stringContaining('corelo keys rotate') })
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  it.each([
    [['--expires', 'soon'], 2, /takes a time/], [[], 3, /cannot be written/]
  ])('with %j exits with %i', async (args, code, message) => {
    const file = join(temporaryFolder(), 'key.pem', ...(code === 3 ? ['below-a-file'] : []))
    if (code === 3) writeFileSync(join(file, '..'), '')
    expect(await corelo(['keys', 'generate', file, ...args])).toMatchObject({ code, stderr: expect.stringMatching(message) })
  })
})

describe('corelo keys show', () => {
  it('tells which key of a file signs, and which ended, and prints the JWKS to pin', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const old = await generated(file, '--expires', '2020-01-01')
    expect((await corelo(['keys', 'rotate', file, '--expires', '2999-01-01'])).code).toBe(0)
    const [next] = kidsIn(file)
    expect(text(await corelo(['keys', 'show', file])).split('\n')).toEqual([
      expect.stringMatching(/^KEY +STATE +ENDS$/),
      expect.stringMatching(new RegExp(`^${next} +signs +2999-01-01T00:00:00.000Z$`)),
      expect.stringMatching(new RegExp(`^${old} +ended +2020-01-01T00:00:00.000Z$`)),
      ''
    ])
    const jwks = text(await corelo(['keys', 'show', file, '--json']))
    expect(JSON.parse(jwks)).toEqual({
      keys: [expect.objectContaining({ kid: next, exp: 32472144000 }), expect.objectContaining({ kid: old })]
    })
    expect(jwks).not.toMatch(/"d"|PRIVATE/)
    const pinned = join(temporaryFolder(), 'jwks.json')
    writeFileSync(pinned, jwks)
    expect(text(await corelo(['keys', 'show', pinned, '--json']))).toBe(jwks)
  })

  it('tells the key that was announced from the one that signed before', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const states = async (): Promise<string[]> =>
      text(await corelo(['keys', 'show', file])).trimEnd().split('\n').slice(1).map(line => line.split(/ +/).slice(0, 2).join(' '))
    const old = await generated(file)
    await corelo(['keys', 'rotate', file, '--announce'])
    const [, next] = kidsIn(file)
    expect(await states()).toEqual([`${old} signs`, `${next} announced`])
    await corelo(['keys', 'rotate', file, '--promote'])
    expect(await states()).toEqual([`${next} signs`, `${old} retired`])
  })

  it('shows the keys that a service with the same settings has', async () => {
    const folder = temporaryFolder()
    const kid = await generated(join(folder, 'signing-key.pem'))
    expect(text(await corelo(['keys', 'show'], { env: { CORELO_CACHE_DIR: folder } }))).toContain(kid)
    const other = await generated(join(folder, 'other.pem'))
    expect(
      text(await corelo(['keys', 'show'], { env: { CORELO_CACHE_DIR: folder, CORELO_SIGNING_KEY_FILE: join(folder, 'other.pem') } }))
    ).toContain(other)
  })

  it('says what it cannot read, and exits with 3', async () => {
    const file = join(temporaryFolder(), 'keys')
    expect(await corelo(['keys', 'show', file])).toMatchObject({ code: 3, stderr: expect.stringContaining(file) })
    writeFileSync(file, 'neither')
    expect(await corelo(['keys', 'show', file])).toMatchObject({ code: 3, stderr: expect.stringContaining('not a JWKS') })
    expect(await corelo(['keys', 'show', '--server', 'http://127.0.0.1:1'])).toMatchObject({
      code: 3, stderr: expect.stringContaining('http://127.0.0.1:1/.well-known/corelo-keys.json cannot be had')
    })
  })
})

describe('corelo keys rotate', () => {
  it('lets a new key sign, keeps the one before, and lets older ones go', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const first = await generated(file)
    const second = text(await corelo(['keys', 'rotate', file])).trim()
    expect(kidsIn(file)).toEqual([second, first])
    const third = text(await corelo(['keys', 'rotate', file, '--retire', '2999-01-01'])).trim()
    expect(kidsIn(file)).toEqual([third, second])
    expect(readFileSync(file, 'utf8')).toContain(`Key: ${second}\nExpires: 2999-01-01T00:00:00.000Z\n`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('prints the public keys as JSON where that is asked for, as generate does', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const keysOf = async (command: string) => JSON.parse(text(await corelo(['keys', command, file, '--json']))) as {
      keys: Array<{ kid: string, d?: string }>
    }
    expect((await keysOf('generate')).keys.map(({ kid }) => kid)).toEqual(kidsIn(file))
    const { keys } = await keysOf('rotate')
    expect(keys.map(({ kid }) => kid)).toEqual(kidsIn(file))
    expect(keys.every(({ d }) => d === undefined)).toBe(true)
  })

  it('announces a key, and lets it sign when it is promoted', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const first = await generated(file)
    expect(text(await corelo(['keys', 'rotate', file, '--announce'])).trim()).toBe(first)
    const [, announced] = kidsIn(file)
    expect(kidsIn(file)[0]).toBe(first)
    expect(text(await corelo(['keys', 'rotate', file, '--promote'])).trim()).toBe(announced)
    expect(kidsIn(file)).toEqual([announced, first])
  })

  it('promotes a key once, however often it is told to', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    await generated(file)
    await corelo(['keys', 'rotate', file, '--announce'])
    await corelo(['keys', 'rotate', file, '--promote'])
    const before = readFileSync(file, 'utf8')
    expect(await corelo(['keys', 'rotate', file, '--promote'])).toMatchObject({
      code: 2, stderr: expect.stringContaining('no key to promote')
    })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('promotes the announced key also where keys that signed before stand around it', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const first = await generated(file)
    const second = text(await corelo(['keys', 'rotate', file])).trim()
    await corelo(['keys', 'rotate', file, '--announce', '--keep', '3'])
    const announced = kidsIn(file).at(-1)
    const third = text(await corelo(['keys', 'rotate', file, '--keep', '4'])).trim()
    expect(kidsIn(file)).toEqual([third, second, first, announced])
    expect(text(await corelo(['keys', 'rotate', file, '--promote', '--keep', '4'])).trim()).toBe(announced)
    expect(kidsIn(file)).toEqual([announced, third, second, first])
    expect((await corelo(['keys', 'rotate', file, '--promote', '--keep', '4'])).code).toBe(2)
  })

  it('promotes a key that somebody appended to the file', async () => {
    const [file, other] = [join(temporaryFolder(), 'key.pem'), join(temporaryFolder(), 'other.pem')]
    const [first, appended] = [await generated(file), await generated(other)]
    appendFileSync(file, readFileSync(other))
    expect(text(await corelo(['keys', 'rotate', file, '--promote'])).trim()).toBe(appended)
    expect(kidsIn(file)).toEqual([appended, first])
  })

  it('never promotes a key that has ended', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    await generated(file)
    await corelo(['keys', 'rotate', file, '--announce', '--expires', '2020-01-01'])
    expect((await corelo(['keys', 'rotate', file, '--promote'])).code).toBe(2)
  })

  it('tells the end of the key that signed so far in the JSON, too', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    const kid = await generated(file)
    const { keys } = JSON.parse(text(await corelo(['keys', 'rotate', file, '--retire', '2999-01-01', '--json']))) as { keys: unknown[] }
    expect(keys[1]).toMatchObject({ kid, exp: 32472144000 })
  })

  it.each([
    [['--announce', '--promote']], [['--promote']], [['--promote', '--expires', '2999-01-01']], [['--announce', '--retire', '2999-01-01']],
    [['--keep', '1']], [['--retire', 'x']]
  ])('refuses %j, and leaves the file as it is', async args => {
    const file = join(temporaryFolder(), 'key.pem')
    const kid = await generated(file)
    expect((await corelo(['keys', 'rotate', file, ...args])).code).toBe(2)
    expect(kidsIn(file)).toEqual([kid])
  })

  it('does not touch a file that has no keys', async () => {
    const file = join(temporaryFolder(), 'key.pem')
    writeFileSync(file, 'damaged')
    expect((await corelo(['keys', 'rotate', file])).code).toBe(3)
    expect(readFileSync(file, 'utf8')).toBe('damaged')
  })
})

describe('corelo keys token', () => {
  it('prints a token, and beside it the entry for the file, which has its hash only', async () => {
    const { code, stdout, stderr } = await corelo(['keys', 'token', 'agents', '--scopes', 'relocate,upload'])
    const token = stdout.toString().trim()
    expect(code).toBe(0)
    expect(token).toMatch(/^corelo_[\w-]{43}$/)
    expect(stderr).toBe(`agents ${sha256(token)} relocate,upload\n`)
    expect(parseTokens(stderr)).toMatchObject([{ name: 'agents', scopes: new Set(['relocate', 'upload']) }])
  })

  it('prints the same as JSON', async () => {
    const { token, entry } = JSON.parse(text(await corelo(['keys', 'token', 'agents', '--json'])))
    expect(entry).toEqual({ name: 'agents', sha256: sha256(token), scopes: ['relocate'] })
    expect(parseTokens(JSON.stringify([entry]))).toHaveLength(1)
  })

  it.each([[[]], [['two words']], [['agents', '--scopes', 'everything']], [['#']]])('refuses %j', async args => {
    expect(await corelo(['keys', 'token', ...args])).toMatchObject({ code: 2, stdout: Buffer.alloc(0) })
  })
})

describe('corelo keys verify', () => {
  async function lab () {
    const folder = temporaryFolder()
    const { request, url } = await startAppWith(await startService(await serviceFolder()))
    await request(`/kernels/${KERNEL}/btf`, { method: 'PUT', body: fooBtf() })
    const response = await request('/relocate', { method: 'POST', body: form({ object: fooObject(), kernel_release: KERNEL }) })
    const path = (name: string): string => join(folder, name)
    const header = response.headers.get('corelo-attestation') ?? ''
    writeFileSync(path('header'), `${header}\n`)
    writeFileSync(path('envelope.json'), Buffer.from(header, 'base64'))
    writeFileSync(path('relocated.o'), new Uint8Array(await response.arrayBuffer()))
    writeFileSync(path('object.o'), fooObject())
    writeFileSync(path('jwks.json'), await (await request('/.well-known/corelo-keys.json')).text())
    return { path, url, run: async (...args: string[]) => await coreloText(['keys', 'verify', ...args]) }
  }

  it('accepts what was asked for, with keys of a file or of the service, from the header or the envelope', async () => {
    const { path, url, run } = await lab()
    for (const keys of [path('jwks.json'), `${url}/.well-known/corelo-keys.json`]) {
      for (const attestation of ['header', 'envelope.json']) {
        const verified = await run(
          path('relocated.o'), '--attestation', path(attestation), '--keys', keys, '--object', path('object.o'), '--kernel', KERNEL
        )
        expect(verified).toMatchObject({ code: 0, stderr: expect.stringMatching(/^verified: relocated for ubuntu.* by corelo /) })
      }
    }
    const byHash = await run(
      path('relocated.o'), '-a', path('header'), '--keys', path('jwks.json'), '--object', sha256(fooObject()), '--btf', sha256(fooBtf()),
      '--json'
    )
    expect(JSON.parse(byHash.stdout)).toMatchObject({ verified: true, object: sha256(fooObject()), btf: sha256(fooBtf()), kernel: KERNEL })
  })

  it('shows the verdict that was signed, what it assumes and the counts', async () => {
    const { path, run } = await lab()
    const args = [path('relocated.o'), '-a', path('header'), '--keys', path('jwks.json'), '--object', path('object.o'), '--kernel', KERNEL]
    expect((await run(...args)).stderr).toMatch(/\nverdict: loads \(1 resolved, 0 absent, 0 poisoned\)\n$/)
    expect(JSON.parse((await run(...args, '--json')).stdout)).toMatchObject({
      verdict: 'loads', assumes: [], counts: { resolved: 1, absent: 0, poisoned: 0 }
    })
  })

  it('refuses what is something else, says why, and exits with 1', async () => {
    const { path, run } = await lab()
    const good = ['-a', path('header'), '--keys', path('jwks.json')]
    const other = join(temporaryFolder(), 'other')
    await generated(`${other}.pem`)
    writeFileSync(other, (await corelo(['keys', 'show', `${other}.pem`, '--json'])).stdout)
    const refusals = await Promise.all([
      run(path('object.o'), ...good, '--object', path('object.o'), '--kernel', KERNEL, '--json'),
      run(path('relocated.o'), ...good, '--object', path('relocated.o'), '--kernel', KERNEL, '--json'),
      run(path('relocated.o'), ...good, '--object', path('object.o'), '--kernel', '6.1', '--json'),
      run(path('relocated.o'), '-a', path('header'), '--keys', other, '--object', path('object.o'), '--kernel', KERNEL, '--json'),
      run(
        path('relocated.o'), '-a', path('object.o'), '--keys', path('jwks.json'), '--object', path('object.o'), '--kernel', KERNEL, '--json'
      )
    ])
    expect(refusals.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1])
    expect(refusals.map(({ stdout }) => (JSON.parse(stdout) as { cause: string }).cause)).toEqual([
      'wrong_result', 'wrong_object', 'wrong_kernel', 'unknown_key', 'malformed'
    ])
    for (const { stderr } of refusals) expect(stderr).toMatch(/^refused: /)
  })

  it('asks for what is missing, and cannot tell without keys', async () => {
    const { path, run } = await lab()
    expect(await run(path('relocated.o'), '-a', path('header'), '--keys', path('jwks.json'), '--object', path('object.o'))).toMatchObject({
      code: 2, stderr: expect.stringContaining('--kernel REF')
    })
    expect(await run(path('relocated.o'), '-a', path('header'), '--object', path('object.o'), '--kernel', KERNEL)).toMatchObject({
      code: 2, stderr: expect.stringContaining('--keys')
    })
    writeFileSync(path('jwks.json'), '{}')
    expect(await run(
      path('relocated.o'), '-a', path('header'), '--keys', path('jwks.json'), '--object', path('object.o'), '--kernel', KERNEL
    )).toMatchObject({ code: 3 })
  })
})

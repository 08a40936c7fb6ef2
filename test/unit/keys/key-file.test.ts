import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { generateSigningKey } from '../../../src/attestation/signing-keys.js'
import { createPrivateFile, openKeyFile, readKeyFiles } from '../../../src/keys/key-file.js'

async function folder (): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'corelo-test-'))
  onTestFinished(async () => { await rm(path, { recursive: true }) })
  return path
}

const kidsOf = (keys: ReadonlyArray<{ readonly jwk: { readonly kid: string } }>): string[] => keys.map(({ jwk }) => jwk.kid)

describe('openKeyFile', () => {
  it('makes a key that only its owner can read, also below folders that are not there, and finds it again', async () => {
    const path = join(await folder(), 'a', 'b', 'signing-key.pem')
    const made = await openKeyFile(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(kidsOf(await openKeyFile(path))).toEqual(kidsOf(made))
    expect(await readdir(join(path, '..'))).toEqual(['signing-key.pem'])
  })

  it('gives callers that start at once the same key', async () => {
    const path = join(await folder(), 'signing-key.pem')
    const opened = await Promise.all(Array.from({ length: 20 }, async () => await openKeyFile(path)))
    expect(new Set(opened.flatMap(kidsOf)).size).toBe(1)
  })

  it('gives processes that start at once the same key', async () => {
    const path = join(await folder(), 'signing-key.pem')
    const script = `import { openKeyFile } from ${JSON.stringify(new URL('../../../dist/keys/key-file.js', import.meta.url).href)}
      const [{ jwk }] = await openKeyFile(process.argv[1])
      console.log(jwk.kid)`
    const runs = await Promise.all(Array.from({ length: 6 }, async () =>
      await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, path])))
    expect(new Set(runs.map(({ stdout }) => stdout.trim())).size).toBe(1)
    expect(await readdir(join(path, '..'))).toEqual(['signing-key.pem'])
  })

  it('does not replace a file that it cannot use', async () => {
    const path = join(await folder(), 'signing-key.pem')
    await writeFile(path, 'damaged')
    await expect(openKeyFile(path)).rejects.toThrow(expect.objectContaining({
      code: 'invalid_request', message: expect.stringContaining(path)
    }))
    expect(await readFile(path, 'utf8')).toBe('damaged')
  })
})

describe('readKeyFiles', () => {
  it('puts the keys of several files in the order of the files', async () => {
    const path = await folder()
    const [first, second] = [generateSigningKey(), generateSigningKey() + generateSigningKey()]
    await createPrivateFile(join(path, '1'), first)
    await createPrivateFile(join(path, '2'), second)
    const kids = [...(second + first).matchAll(/^Key: (.+)$/gm)].map(([, kid]) => kid)
    expect(kidsOf(await readKeyFiles([join(path, '2'), join(path, '1')]))).toEqual(kids)
  })

  it('tells of a file that others can read, and uses it', async () => {
    const path = join(await folder(), 'key')
    await createPrivateFile(path, generateSigningKey())
    const exposed: string[] = []
    await readKeyFiles([path], file => { exposed.push(file) })
    expect(exposed).toEqual([])
    await chmod(path, 0o640)
    await readKeyFiles([path], file => { exposed.push(file) })
    expect(exposed).toEqual([path])
  })

  it.each([
    ['is missing', undefined], ['is empty', ''], ['is too large', 'x'.repeat(70_000)]
  ])('refuses a file that %s, by its name', async (_what, text) => {
    const path = join(await folder(), 'key')
    if (text !== undefined) await writeFile(path, text)
    await expect(readKeyFiles([path])).rejects.toThrow(expect.objectContaining({
      code: 'invalid_request', message: expect.stringContaining(path)
    }))
  })
})

describe('createPrivateFile', () => {
  it('leaves a file that is there as it is', async () => {
    const path = join(await folder(), 'key')
    expect(await createPrivateFile(path, 'first')).toEqual({ created: true })
    expect(await createPrivateFile(path, 'second')).toEqual({ created: false })
    expect(await readFile(path, 'utf8')).toBe('first')
  })
})

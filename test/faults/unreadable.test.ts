import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { sha256, type Sha256 } from '../../src/store/sha256.js'
import { corelo, EXEC, removeFoldersAfterEach, ROOT, SAMPLE, temporaryFolder } from '../cli/corelo.js'
import { form, problemOf } from '../http/harness.js'
import { startProcess } from '../support/service.js'

removeFoldersAfterEach()

const PACKED = join(ROOT, 'test/fixtures/extraction/packed')
const UPLOADED = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const IMPORTED = 'debian/12/x86_64/6.1.0-50-amd64'

it('uploads and imports survive a disk that gives nothing, whatever it says: they are 503 meanwhile, and answer afterwards', async () => {
  const folder = temporaryFolder()
  const failing = join(folder, 'failing')
  const settings = {
    CORELO_CACHE_DIR: join(folder, 'cache'),
    CORELO_TRUST_UPLOADS: 'true',
    NODE_OPTIONS: `--import=${pathToFileURL(join(ROOT, 'test/support/failing-reads.mjs')).href}`,
    FAILING_READS: failing
  }
  expect((await corelo(['btf', 'import', join(PACKED, 'linux-image.xz.deb')], {
    env: { CORELO_CACHE_DIR: settings.CORELO_CACHE_DIR }
  })).code).toBe(0)
  const [object, uploaded, imported] = [EXEC, SAMPLE, join(PACKED, 'vmlinux.btf')].map(path => readFileSync(path)) as [
    Buffer, Buffer, Buffer
  ]
  const put = async (url: string, path: string, body: Buffer): Promise<number> =>
    (await fetch(`${url}${path}`, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } })).status
  const before = await startProcess(settings)
  expect(await put(before.url, `/kernels/${UPLOADED}/btf`, uploaded)).toBe(201)
  expect(await put(before.url, `/objects/${sha256(object)}`, object)).toBe(201)
  expect(await before.stop()).toBe(0)

  writeFileSync(failing, 'EIO')
  const { url } = await startProcess(settings)
  const relocated = async (query: string): Promise<Response> =>
    await fetch(`${url}/relocate?${query}`, { method: 'POST', body: object, headers: { 'content-type': 'application/x-elf' } })
  const heldObject = async (hash: Sha256): Promise<Response> =>
    await fetch(`${url}/relocate`, { method: 'POST', body: form({ object: sha256(object), btf_sha256: hash }) })
  const hashes = [sha256(uploaded), sha256(imported)]
  const questions: ReadonlyArray<() => Promise<Response>> = [
    ...[UPLOADED, IMPORTED].flatMap(name => [() => relocated(`kernel_release=${name}`), () => fetch(`${url}/kernels/${name}/btf`)]),
    ...hashes.flatMap(hash => [() => relocated(`btf_sha256=${hash}`), () => fetch(`${url}/btf/${hash}`), () => heldObject(hash)])
  ]
  for (const code of ['EIO', 'ESTALE', 'EMFILE', 'EACCES']) {
    writeFileSync(failing, code)
    for (const ask of questions) {
      // A part of the index that cannot be read is left alone for a moment, in which the error before is told.
      await expect.poll(async () => await problemOf(await ask())).toMatchObject({ status: 503, code: 'storage_unreadable', error: code })
      expect((await ask()).headers.has('retry-after')).toBe(true)
    }
  }
  rmSync(failing)
  for (const ask of questions) await expect.poll(async () => (await ask()).status).toBe(200)
  expect((await (await fetch(`${url}/kernels`)).json() as { kernels: object[] }).kernels).toHaveLength(2)
})

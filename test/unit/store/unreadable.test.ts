import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { chmod, chown, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isAbsence, toUnread } from '../../../src/store/read-failure.js'
import { openContentStore } from '../../../src/store/content-store.js'
import { hexOf, sha256 } from '../../../src/store/sha256.js'
import {
  breakFile, contentPath, failure, fooBtf, fooObject, offsetOfY, put, relocate, startService, temporaryFolder, UBUNTU
} from '../service/lab.js'

describe('a read that fails', () => {
  it.each(['ENOENT', 'ENOTDIR'])('with %s says that nothing is there', code => {
    expect(isAbsence(Object.assign(new Error(code), { code }))).toBe(true)
    expect(toUnread(Object.assign(new Error(code), { code }))).toEqual({ state: 'absent' })
  })

  it.each([
    'EACCES', 'EPERM', 'EIO', 'ESTALE', 'EMFILE', 'ENFILE', 'ELOOP', 'ETIMEDOUT', 'EISDIR', 'ENXIO'
  ])('with %s says that something is there and cannot be read', code => {
    expect(toUnread(Object.assign(new Error(code), { code }))).toEqual({ state: 'unreadable', code })
  })
})

describe('content on a disk that does not give it', () => {
  it('is 503 by name and by hash, stays known, and answers when the disk does', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder, { trustUploads: true })
    await put(before, fooBtf())
    await before.putObject(fooObject(), sha256(fooObject()))
    await before.close()
    const path = contentPath(folder, 'btf', sha256(fooBtf()))
    const objectPath = contentPath(folder, 'object', sha256(fooObject()))
    for (const broken of [path, objectPath]) await breakFile(broken)
    const service = await startService(folder, { trustUploads: true })
    const calls = [() => relocate(service), () =>
      relocate(service, { btfSha256: sha256(fooBtf()) }), () => service.getBtf(sha256(fooBtf())), () => service.getKernelBtf(UBUNTU)]
    for (const call of calls) {
      expect((await failure('storage_unreadable', call())).details).toMatchObject({ error: 'ELOOP', retry_after: expect.any(Number) })
    }
    await failure('storage_unreadable', relocate(service, { objectSha256: sha256(fooObject()), btf: [fooBtf()] }))
    expect(service.stats().cache['unreadable_files']).toBeGreaterThan(0)
    expect(service.warnings.join()).toContain('Stored content cannot be read')
    expect((await service.listKernels({ limit: 9 })).kernels).toHaveLength(1)
    expect(await readdir(dirname(path))).toHaveLength(1)
    await rm(path)
    const writer = openContentStore({ directory: folder })
    onTestFinished(() => writer.close())
    await writer.write('btf', sha256(fooBtf()), fooBtf())
    expect(offsetOfY(await relocate(service))).toBe(12)
  })
})

describe('an index of which a part cannot be read', () => {
  it('answers no name of which that part may speak, and all others', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    await put(before, fooBtf(), { release: '5.5' })
    await put(before, fooBtf(1), { distro: 'debian', distroVersion: '12' })
    await before.close()
    const debian = join(folder, 'index', 'debian', '12', 'x86_64')
    const hidden = join(debian, `${UBUNTU.release}@${hexOf(sha256(fooBtf(1)))}.json`)
    await breakFile(hidden)
    const service = await startService(folder)
    await failure('storage_unreadable', relocate(service)) // the release may be that of two kernels
    await failure('storage_unreadable', relocate(service, { kernel: { ...UBUNTU, distro: 'debian', distroVersion: '12' } }))
    expect(offsetOfY(await relocate(service, { kernel: UBUNTU }))).toBe(12)
    expect(offsetOfY(await relocate(service, { kernel: { release: '5.5' } }))).toBe(12)
    expect(offsetOfY(await relocate(service, { btfSha256: sha256(fooBtf()) }))).toBe(12)
    await rm(hidden)
    await expect.poll(() => relocate(service).then(offsetOfY, () => undefined)).toBe(12)
  })
})

/**
 * Runs a script in the folder as a user who is not root, to whom the modes of files mean something. Root gives up its rights after
 * the imports and inside the folder: another user may be kept from Node, from the clone, and from what the folder lies in.
 */
function asNobody (script: string, folder: string, limit = 'true'): { out: string, status: number | null } {
  const command = `${limit}; exec "$0" --input-type=module -e "$1" "$2"`
  const run = spawnSync(
    'sh', ['-c', command, process.execPath, script, folder], { encoding: 'utf8', cwd: join(import.meta.dirname, '../../..') }
  )
  return { out: `${run.stdout}${run.stderr}`, status: run.status }
}

const READ = `
import { openContentStore } from "./dist/store/content-store.js"
import { openKernelIndex } from "./dist/kernels/kernel-index.js"
import { sha256 } from "./dist/store/sha256.js"
import { openSync } from "node:fs"
process.chdir(process.argv[1])
if (process.getuid() === 0) {
  process.setgroups([])
  process.setgid(65_534)
  process.setuid(65_534)
}
const directory = "."
const index = await openKernelIndex({ directory })
const store = openContentStore({ directory })
// Again and again, since the store's look through its folder gives files back.
if (process.env.EXHAUST === "1") for (let turn = 0; turn < 50; turn++) {
  try { for (;;) openSync("/dev/null") } catch {}
  await new Promise(resolve => setTimeout(resolve, 2))
}
const refusal = error => error.code + " " + error.details.error
const read = await store.read("btf", sha256("content")).then(found => found === undefined ? "absent" : "read", refusal)
const learned = await index.learn({ release: "5.4" }).then(() => "known " + index.byRelease("5.4").length, refusal)
console.log(read + ", " + learned)
process.exit(0)
`

describe('a folder that lost its mode between two starts', () => {
  it('takes nothing with it', async () => {
    const folder = await temporaryFolder()
    await chmod(folder, 0o777)
    const write = READ.replace(
      'const read =',
      'await store.write("btf", sha256("content"), Buffer.from("content"))\n' +
        'await index.put({ reference: { distro: "a", distroVersion: "1", arch: "x86_64", release: "5.4" },\n' +
        'btfSha256: sha256("content"), bytes: 7, types: 1, source: "upload", provenance: { by: "n", at: "2026" },\n' +
        'firstSeen: "2026", lastUsed: "2026", modules: [] })\nconst read ='
    )
    expect(asNobody(write, folder)).toEqual({ out: 'read, known 1\n', status: 0 })
    const content = dirname(contentPath(folder, 'btf', sha256('content')))
    const index = join(folder, 'index', 'a', '1', 'x86_64')
    for (const path of [content, index]) chmodSync(path, 0o000)
    onTestFinished(() => { for (const path of [content, index]) chmodSync(path, 0o777) })
    expect(asNobody(READ, folder).out).toContain('storage_unreadable EACCES, storage_unreadable EACCES')
    for (const path of [content, index]) chmodSync(path, 0o755)
    expect(asNobody(READ, folder)).toEqual({ out: 'read, known 1\n', status: 0 })
  })
})

describe('a process without a file left to open', () => {
  it('forgets nothing', async () => {
    const folder = await temporaryFolder()
    const store = openContentStore({ directory: folder })
    await store.write('btf', sha256('content'), Buffer.from('content'))
    await store.close()
    mkdirSync(join(folder, 'index'))
    await chmod(folder, 0o755)
    if (process.getuid?.() === 0) await chown(join(folder, 'index'), 65_534, 65_534)
    const script = READ.replace('process.env.EXHAUST === "1"', 'true')
    expect(asNobody(script, folder, 'ulimit -n 64').out).toContain('storage_unreadable EMFILE')
    expect(await readdir(dirname(contentPath(folder, 'btf', sha256('content'))))).toHaveLength(1)
  })
})

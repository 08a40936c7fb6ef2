import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { parseReference } from '../../../src/identity/reference.js'
import { createService } from '../../../src/service/service.js'
import type { Service } from '../../../src/service/types.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { ROOT } from '../../support/lab.js'
import { buildObject } from '../../support/object-builder.js'
import { put } from '../../unit/service/lab.js'

const read = (path: string): Buffer => readFileSync(join(ROOT, path))
/** Reads task_struct.state without asking whether the kernel has it. Linux 5.14 renamed it. */
export const UNGUARDED = { name: 'unguarded.bpf.o', mimeType: 'application/octet-stream', buffer: read('examples/unguarded.bpf.o') }
export const EXEC = { ...UNGUARDED, name: 'exec.bpf.o', buffer: read('examples/exec.bpf.o') }

/** r0 = 0; exit. */
const EXIT = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)

const PROGRAM = { section: 'kprobe/x', name: 'p', code: EXIT }
/** Has nothing to relocate, and so loads everywhere. */
export const UNTYPED = {
  ...UNGUARDED,
  name: 'untyped.bpf.o',
  buffer: Buffer.from(buildObject({ local: btf(), btf: null, btfExt: null, programs: [PROGRAM] }).bytes)
}

/** task_struct as it was before Linux 5.14, as far as the example reads it. */
function oldKernel (): Uint8Array {
  const builder = btf()
  const { int } = integers(builder)
  const long = builder.int('long int', 8, { signed: true })
  builder.struct('task_struct', 64, [at('flags', 0, int), at('state', 16, builder.volatile(long)), at('pid', 32, int)])
  return builder.bytes()
}

/** As it is since. */
const NEW_KERNEL = read('examples/kernels/sample.btf')

export const OLD = ['ubuntu/20.04/x86_64/5.4.0-26-generic', 'ubuntu/20.04/x86_64/5.4.0-42-generic', 'ubuntu/20.04/arm64/5.4.0-42-generic']
export const NEW = ['debian/12/x86_64/6.1.0-18-amd64', 'debian/12/x86_64/6.1.0-20-amd64']

/** A service with five kernels of two kinds, for a whole file, which closes it itself. */
export async function startFleet (): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-'))
  const service = createService({
    cacheDir: folder,
    memoryBytes: 64 << 20,
    workers: 1,
    deadlineMs: 60_000,
    maxObjectBytes: 16 << 20,
    maxBtfBytes: 64 << 20,
    localKernel: false,
    trustUploads: true
  })
  const kernels = [...OLD.map(name => [name, oldKernel()] as const), ...NEW.map(name => [name, NEW_KERNEL] as const)]
  for (const [name, bytes] of kernels) await put(service, bytes, parseReference(name))
  const close = async (): Promise<void> => {
    await service.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  return { ...service, close }
}

/** Chooses files, and checks them on what is chosen of kernels. */
export async function check (page: Page, files: ReadonlyArray<typeof UNGUARDED>): Promise<void> {
  await page.locator('#files').setInputFiles([...files])
  await page.getByRole('button', { name: /^Check \d+ object/ }).click()
  await checked(page)
}

export async function checked (page: Page): Promise<void> {
  await page.getByRole('status').filter({ hasText: 'The check is done' }).waitFor({ state: 'attached' })
}

/** Opens the first cell that says a word, and waits for its report. */
export async function openCell (page: Page, word: string): Promise<void> {
  await page.getByRole('gridcell').filter({ hasText: word }).first().click()
  await page.getByRole('heading', { name: /^Relocations/ }).waitFor()
}

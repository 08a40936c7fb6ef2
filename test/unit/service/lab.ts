import { LIMITS } from '../../../src/limits.js'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { AppError, type ErrorCode } from '../../../src/errors.js'
import { createService, type ServiceSettings } from '../../../src/service/service.js'
import type { Deadline, RelocateAnswer, RelocateRequest } from '../../../src/relocation/types.js'
import type { Service } from '../../../src/service/types.js'
import { hexOf, type Sha256 } from '../../../src/store/sha256.js'
import type { StoredKind } from '../../../src/store/stored-kinds.js'
import { buildObject } from '../../support/object-builder.js'
import { fooSpec, targetFoo } from '../../support/corpus.js'
import { btf } from '../../support/btf-builder.js'
import { startWarmThreads } from '../../support/warm-threads.js'

/** A folder that is gone after the test. */
export async function temporaryFolder (): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  return folder
}

/** Where a service keeps content, or what it made of that. */
export function contentPath (folder: string, kind: StoredKind, hash: Sha256): string {
  const hex = hexOf(hash)
  return join(folder, 'content', kind, hex.slice(0, 2), hex)
}

/** Puts a file in the place of another that is there and cannot be opened, as on a disk that is broken: a link to itself. */
export async function breakFile (path: string): Promise<void> {
  await rm(path)
  await symlink(path, path)
}

export interface StartedService extends Service {
  readonly warnings: string[]
}

/** A service without a kernel of its own, closed after the test. */
export async function startService (cacheDir: string, settings: Partial<ServiceSettings> = {}): Promise<StartedService> {
  const warnings: string[] = []
  const service = createService({
    cacheDir,
    memoryBytes: 64 << 20,
    workers: 1,
    deadlineMs: 10_000,
    maxObjectBytes: 16 << 20,
    maxBtfBytes: 64 << 20,
    localKernel: false,
    trustUploads: true,
    ...settings
  }, { onWarning: (message, facts) => { warnings.push(`${message} ${JSON.stringify(facts)}`) }, startThreads: startWarmThreads })
  onTestFinished(() => service.close())
  await service.ready()
  return Object.assign(service, { warnings })
}

/** A small object with one relocation, of foo.y; `serial` makes another object of it that says the same. */
export function fooObject (serial = 0): Uint8Array {
  const { bytes } = buildObject(fooSpec())
  const object = new Uint8Array(bytes.length + 4)
  object.set(bytes)
  new DataView(object.buffer).setUint32(bytes.length, serial)
  return object
}

/** BTF of a kernel in which foo.y has moved; `serial` makes another content of it that says the same. */
export function fooBtf (serial = 0): Uint8Array {
  const builder = targetFoo()
  builder.int(`serial_${serial}`, 4)
  return builder.bytes()
}

/** BTF of a kernel that knows nothing of foo. */
export function emptyBtf (): Uint8Array {
  const builder = btf()
  builder.int('int', 4, { signed: true })
  return builder.bytes()
}

/** Valid BTF that takes a worker seconds: as many types as are read, with names that are as long together as may be. */
export function slowBtf (): Uint8Array {
  const types = LIMITS.btfTypes
  const nameLength = LIMITS.hashedBytesPerByte * 15
  const strings = 1 + nameLength + 1
  const bytes = new Uint8Array(24 + types * 16 + strings)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0xeb9f, true)
  view.setUint8(2, 1)
  for (const [i, word] of [24, 0, types * 16, types * 16, strings].entries()) view.setUint32(4 + 4 * i, word, true)
  for (let at = 24; at < 24 + types * 16; at += 16) {
    view.setUint32(at, 1, true)
    view.setUint32(at + 4, 1 << 24, true)
    view.setUint32(at + 8, 4, true)
    view.setUint32(at + 12, 32, true)
  }
  bytes.fill(0x61, 24 + types * 16 + 1, bytes.length - 1)
  return bytes
}

export const UBUNTU = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }
export const BY_NODE = { by: 'node-1', at: '2026-01-01T00:00:00.000Z' }

export function put (service: Service, btfBytes: Uint8Array, changes: Partial<typeof UBUNTU> = {}, provenance: object = {}) {
  return service.putKernelBtf({ ...UBUNTU, ...changes }, btfBytes, { ...BY_NODE, ...provenance })
}

/** Puts the BTF of kernels by their release, and waits for the layout table of each. */
export async function putAll (service: Service, kernels: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [release, bytes] of Object.entries(kernels)) await put(service, bytes, { release })
  await expect.poll(() => service.stats().cache['layouts_made']).toBe(Object.keys(kernels).length)
}

/** Relocates the foo object for UBUNTU's release, unless the request says otherwise. */
export async function relocate (service: Service, request: Partial<RelocateRequest> = {}, deadline?: Deadline): Promise<RelocateAnswer> {
  const named = request.btf ?? request.btfSha256 ?? request.buildId ?? request.kernel
  return await service.relocate({
    ...(request.object ?? request.objectSha256 ? {} : { object: fooObject() }),
    ...(named === undefined ? { kernel: { release: UBUNTU.release } } : {}),
    onUnresolved: 'poison',
    wantsReport: false,
    ...request
  }, deadline)
}

/** The AppError of a call that must fail, with the code that it must have. */
export async function failure (code: ErrorCode, call: Promise<unknown>): Promise<AppError> {
  const error = await call.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof AppError) || error.code !== code) throw new Error(`expected ${code}, got ${String(error)}`)
  return error
}

/** What the load of foo.y says after relocation. */
export function offsetOfY ({ bytes }: { readonly bytes: Uint8Array }): number {
  const at = bytes.findIndex((byte, i) => byte === 0x61 && bytes[i + 1] === 0x12)
  return new DataView(bytes.buffer, bytes.byteOffset).getInt16(at + 2, true)
}

import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { onTestFinished } from 'vitest'
import type { ServiceSettings, SourceSettings } from '../../src/settings/service-options.js'
import { fooBtf, startService, type StartedService } from '../unit/service/lab.js'
import { at, btf } from '../support/btf-builder.js'
import { targetFoo } from '../support/corpus.js'
import { tarXzOf } from '../support/xz-writer.js'

export const KERNEL = { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }
export const PATH = '/ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz'

/** What BTFHub would have for KERNEL. */
export async function archiveOf (btf = fooBtf()): Promise<Uint8Array> {
  return await tarXzOf({ name: `${KERNEL.release}.btf`, bytes: btf })
}

/** Split BTF that extends fooBtf(). */
export function moduleBtf (): Uint8Array {
  const base = targetFoo()
  const int = base.int('serial_0', 4)
  const split = btf({ base })
  split.struct('nf_foo', 8, [at('y', 4, int)])
  return split.bytes()
}

/** Tries that follow each other at once; otherwise as patient as a busy machine needs. */
export const QUICK: NonNullable<SourceSettings['fetch']> = {
  connectMs: 5_000, headersMs: 5_000, stallMs: 5_000, totalMs: 10_000, retryMinMs: 1, retryMaxMs: 20
}

/** Times in which a test can wait for a source to run out of them. */
export const IMPATIENT: typeof QUICK = { ...QUICK, headersMs: 300, stallMs: 300, stallBytes: 10_000 }

/** A service whose only sources are those of the settings. */
export async function startFetching (settings: Partial<ServiceSettings>): Promise<StartedService> {
  const folder = await mkdtemp(join(tmpdir(), `corelo-faults-${randomUUID().slice(0, 8)}-`))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  return await startService(folder, { trustUploads: false, sources: { fetch: QUICK }, ...settings })
}

/** Questions to sources so far, by what came back. */
export function questions (service: StartedService): Record<string, number> {
  return Object.fromEntries(service.stats().sourceRequests.map(({ outcome, count }) => [outcome, count]))
}

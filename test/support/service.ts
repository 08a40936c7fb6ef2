import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { spawnService, TEST_SETTINGS, type Options, type ServiceProcess, type Settings } from '../../scripts/service.mjs'
import { buildApp } from '../../src/http/app.js'
import { readConfig, toServiceSettings } from '../../src/http/config.js'
import { createLogger } from '../../src/http/log.js'
import { createService } from '../../src/service/service.js'
import { COMPILE_LATER } from './compile-later.js'
import { sharedValidators } from './validators.js'
import { startWarmThreads } from './warm-threads.js'

export type { ServiceProcess } from '../../scripts/service.mjs'

export interface ListeningService {
  readonly url: string
  stop (): Promise<void>
}

/** Starts a service in this process that listens, and resolves once it is ready. The caller stops it. */
export async function startListening (settings: Settings): Promise<ListeningService> {
  const config = readConfig({ ...TEST_SETTINGS, ...settings })
  const service = createService(toServiceSettings(config), { startThreads: startWarmThreads })
  const app = await buildApp(service, config, { log: createLogger('silent'), validatorCompiler: await sharedValidators() })
  await app.listen({ host: config.host, port: config.port })
  await service.ready()
  const close = async (): Promise<void> => {
    app.server.closeAllConnections()
    await app.close()
    await service.close()
  }
  let closed: Promise<void> | undefined
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, stop: async () => { await (closed ??= close()) } }
}

/** A service in a process of its own: for what a signal, a limit or a lack of memory does to it. It ends with the test. */
export async function spawnForTest (settings: Settings = {}, options: Options = {}): Promise<ServiceProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-process-'))
  const service = spawnService({ ...TEST_SETTINGS, CORELO_CACHE_DIR: folder, ...settings }, { execArgv: COMPILE_LATER, ...options })
  onTestFinished(async () => {
    await service.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  return service
}

/** The same, once it is ready. */
export async function startProcess (settings: Settings, options: Options = {}): Promise<ServiceProcess> {
  const service = await spawnForTest(settings, options)
  await service.ready()
  return service
}

/** The value of a metric of a service; 0 where it is not there. */
export async function metricOf ({ url }: { readonly url: string }, name: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  return Number(lines.find(line => line.startsWith(`${name} `))?.slice(name.length) ?? 0)
}

/** Most memory of a process that was resident since the last call, in bytes. Linux only. */
export function peakMemory ({ child: { pid } }: ServiceProcess): number {
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
  writeFileSync(`/proc/${pid}/clear_refs`, '5') // the peak counts from here
  return peak
}

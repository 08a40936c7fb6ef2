import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { buildApp, type AppOptions } from '../../src/http/app.js'
import { readConfig, type Config } from '../../src/http/config.js'
import { createLogger } from '../../src/http/log.js'
import type { Service } from '../../src/service/types.js'
import { createFakeService, type FakeService } from '../support/fake-service.js'
import { sharedValidators } from '../support/validators.js'

export interface Harness<S extends Service = FakeService> {
  readonly app: FastifyInstance
  readonly service: S
  readonly config: Config
  /** Lines that were logged, parsed. */
  readonly logged: Array<Record<string, unknown>>
  /** Requests a path over a real socket. */
  request (path: string, init?: RequestInit): Promise<Response>
  readonly url: string
}

/** A listening app around a fake service, closed after the test. */
export async function startApp (settings: Partial<Config> = {}): Promise<Harness> {
  return await startAppWith(createFakeService(), settings)
}

export async function startAppWith<S extends Service> (
  service: S, settings: Partial<Config> = {}, options: AppOptions = {}
): Promise<Harness<S>> {
  const harness = await launch(service, settings, options)
  onTestFinished(async () => {
    harness.app.server.closeAllConnections() // of a request that was refused, the connection lingers
    await harness.app.close()
  })
  return harness
}

/** A listening app for a whole file, which closes it itself. */
export async function launch<S extends Service> (
  service: S, settings: Partial<Config> = {}, options: AppOptions = {}
): Promise<Harness<S>> {
  const config = { ...readConfig({ CORELO_BTFHUB_URL: '', CORELO_MAX_DELAY_MS: '0' }), ...settings }
  const logged: Array<Record<string, unknown>> = []
  const log = createLogger('trace', { write: line => { logged.push(JSON.parse(line)) } })
  const app = await buildApp(service, config, { log, validatorCompiler: await sharedValidators(), ...options })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, service, config, logged, url, request: async (path, init) => await fetch(`${url}${path}`, init) }
}

/** A form as a browser or an agent builds it. Bytes become files, text becomes fields, lists become repeated parts. */
export function form (parts: Readonly<Record<string, string | Uint8Array | ReadonlyArray<string | Uint8Array>>>): FormData {
  const data = new FormData()
  for (const [name, values] of Object.entries(parts)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      if (typeof value === 'string') data.append(name, value)
      else data.append(name, new Blob([value]), `${name}.bin`)
    }
  }
  return data
}

export interface Problem { readonly code: string, readonly status: number, readonly detail: string, readonly [member: string]: unknown }

export async function problemOf (response: Response): Promise<Problem> { return await response.json() as Problem }

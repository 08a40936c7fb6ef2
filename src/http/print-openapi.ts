import type { Service } from '../service/types.js'
import { buildApp } from './app.js'
import { readConfig } from './config.js'

/** The OpenAPI document as it is committed in docs/openapi.json. No route is called, so that no service is needed. */
export async function renderOpenApi (): Promise<string> {
  const nothing = { ready: async () => {}, stats: () => { throw new Error('not called') } } as unknown as Service
  const app = await buildApp(nothing, readConfig({ CORELO_LOG_LEVEL: 'silent' }))
  await app.ready()
  const document = app.swagger()
  await app.close()
  return `${JSON.stringify(document, null, 2)}\n`
}

if (import.meta.filename === process.argv[1]) process.stdout.write(await renderOpenApi())

import { join } from 'node:path'
import { createViteServer } from 'vitest/node'

/** The tests' generator of large objects, which is TypeScript: `largeObject({ kernel, records, distinct })`. */
export async function loadLargeObject () {
  const server = await createViteServer({ configFile: false, root: join(import.meta.dirname, '..'), logLevel: 'error', appType: 'custom', server: { middlewareMode: true, hmr: false, watch: null, ws: false } })
  try {
    return (await server.ssrLoadModule('/test/support/large-object.ts')).largeObject
  } finally {
    await server.close()
  }
}

import { join } from 'node:path'
import { createViteServer } from 'vitest/node'

/** The tests' generator of large objects, which is TypeScript: `largeObject({ kernel, records, distinct })`. */
export async function loadLargeObject () { return (await loadSupport('large-object')).largeObject }

/** That of objects with much to judge: `branchyObject({ programs, instructions })`. */
export async function loadBranchyObject () { return (await loadSupport('branchy-object')).branchyObject }

async function loadSupport (name) {
  const server = await createViteServer({
    configFile: false,
    root: join(import.meta.dirname, '..'),
    logLevel: 'error',
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, watch: null, ws: false }
  })
  try {
    return await server.ssrLoadModule(`/test/support/${name}.ts`)
  } finally {
    await server.close()
  }
}

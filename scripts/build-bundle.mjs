// Bundles the command and its threads into dist/bundle, so that node loads a few dozen files in the place of many hundreds.
import { join } from 'node:path'
import { makeFolder, ROOT } from './made-folder.mjs'

/** By the names of their files there. A thread has one file, and the command one for each part that it loads later. */
const ENTRIES = {
  main: 'src/cli/main.ts',
  'worker-task': 'src/workers/task.ts',
  'package-worker': 'src/packages/worker/main.ts'
}

/** A package of many files, of which little is used. All others stay as npm installs, licenses and audits them. */
const BUNDLED_PACKAGE = 'typebox'

await makeFolder({ name: 'bundle', sources: ['src', 'scripts/build-bundle.mjs'], make: bundle })

async function bundle (made) {
  const { build } = await import('vite')
  const { engineBuild } = await import('../dist/relocation/engine-build.js')
  const define = { BUNDLED_ENGINE_BUILD: JSON.stringify(await engineBuild(join(ROOT, 'src'))) }
  await Promise.all(Object.entries(ENTRIES).map(async ([name, path]) => {
    await build({
      configFile: false,
      root: ROOT,
      publicDir: false,
      logLevel: 'warn',
      define,
      ssr: { noExternal: [BUNDLED_PACKAGE] },
      build: {
        ssr: true,
        outDir: made,
        emptyOutDir: false,
        target: 'es2023',
        minify: false, // a stack names our functions
        license: name === 'main' ? { fileName: 'licenses.md' } : false,
        rolldownOptions: {
          input: { [name]: path },
          output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
          checks: {
            pluginTimings: false, // a slow machine is nothing to warn of
            ineffectiveDynamicImport: false // what one entry loads later, another loads at once
          }
        }
      }
    })
  }))
}

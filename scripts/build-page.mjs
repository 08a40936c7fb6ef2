// Builds the page (page/) into dist/page, which the service reads when it starts.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { makeFolder, ROOT } from './made-folder.mjs'

await makeFolder({ name: 'page', sources: ['page', 'scripts/build-page.mjs'], make: buildPage })

async function buildPage (made) {
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: join(ROOT, 'page'),
    base: './', // the service may be below a path of a proxy
    publicDir: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: made,
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0, // data: addresses are against the page's policy
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: { checks: { pluginTimings: false } } // a slow machine is nothing to warn of
    }
  })
  compressAll(made)
}

/** Puts each file that gzip makes smaller into the folder `gzip` too, by the same path, so that the service need not compress it. */
function compressAll (folder) {
  for (const path of ['index.html', ...readdirSync(join(folder, 'assets')).map(name => join('assets', name))]) {
    const bytes = readFileSync(join(folder, path))
    const compressed = gzipSync(bytes, { level: 9 })
    if (compressed.length >= bytes.length) continue
    mkdirSync(dirname(join(folder, 'gzip', path)), { recursive: true })
    writeFileSync(join(folder, 'gzip', path), compressed)
  }
}

// Builds the page (page/) into dist/page, which the service reads when it starts. Nothing is done where the page was built of the
// same files by the same packages already.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'dist/page')
const stamp = join(root, 'dist/.page.stamp')

const sources = readdirSync(join(root, 'page'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(({ parentPath, name }) => join(parentPath, name))
const hash = createHash('sha256')
for (const path of [
  ...sources.toSorted(), ...['package.json', 'package-lock.json', 'scripts/build-page.mjs'].map(name => join(root, name))
]) {
  const bytes = readFileSync(path)
  hash.update(`${path.slice(root.length)} ${bytes.length}\n`).update(bytes)
}
const wanted = hash.digest('hex')

const isBuilt = existsSync(join(out, 'index.html')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
if (!isBuilt) await buildPage()

async function buildPage () {
  const { build } = await import('vite')
  // Beside the place, and then into it: the page is never there half written; between the two renames there is none for a moment.
  const made = join(root, `dist/.page-${process.pid}`)
  const old = `${made}-old`
  mkdirSync(made, { recursive: true })
  try {
    await build({
      configFile: false,
      root: join(root, 'page'),
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
    if (existsSync(out)) renameSync(out, old)
    renameSync(made, out)
    writeFileSync(stamp, wanted)
  } finally {
    for (const folder of [made, old]) rmSync(folder, { recursive: true, force: true })
  }
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

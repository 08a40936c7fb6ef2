// Builds dist/ without checking types, as fast as it goes: for tests. `npm run build` is the whole of it.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './made-folder.mjs'

const ENGINE = 'tsconfig.engine.json'
/** Of the library. It only passes types on, so that its declarations can be made without those of other files. */
const LIBRARY = 'src/index.ts'

// Only the compiler knows the types that declarations of the engine, which the package has, do not spell out.
const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
const engine = promisify(execFile)(process.execPath, [compiler, '-b', ENGINE, '--noCheck'], { cwd: ROOT })
const { include } = JSON.parse(readFileSync(join(ROOT, ENGINE), 'utf8'))
await emitModules(filesOf('src').filter(path => !include.some(part => path === part || path.startsWith(`${part}/`))))
await Promise.all([engine, import('./build-bundle.mjs'), import('./build-page.mjs')])

function filesOf (folder) {
  return readdirSync(join(ROOT, folder), { recursive: true })
    .map(path => join(folder, path))
    .filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts'))
}

/**
 * Writes what is missing or older than its source, and nothing else: what `tsc -b` has written since stays, and what is written here it
 * writes again, since that source is newer than its own notes.
 */
async function emitModules (sources) {
  const { transformWithOxc } = await import('vite')
  const stale = sources.filter(source => outputsOf(source).some(path => !existsSync(path) || modified(path) < modified(join(ROOT, source))))
  await Promise.all(stale.map(async source => {
    const [code, types] = outputsOf(source)
    const made = await transformWithOxc(readFileSync(join(ROOT, source), 'utf8'), join(ROOT, source), {
      tsconfig: false,
      sourcemap: false,
      target: 'es2023',
      typescript: { onlyRemoveTypeImports: true, ...types !== undefined && { declaration: {} } }
    })
    mkdirSync(dirname(code), { recursive: true })
    writeFileSync(code, made.code)
    if (types !== undefined) writeFileSync(types, made.declaration)
  }))
}

/** Of a source: its code, and its declarations where the package has them. */
function outputsOf (source) {
  const path = join(ROOT, 'dist', source.slice('src/'.length, -'.ts'.length))
  return source === LIBRARY ? [`${path}.js`, `${path}.d.ts`] : [`${path}.js`]
}

function modified (path) { return statSync(path).mtimeMs }

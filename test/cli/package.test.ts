import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeFoldersAfterEach, ROOT, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const { bin, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: { corelo: string }, version: string }

/** Packs a folder as it is, and unpacks the package where npm would install it, beside the packages of this project. */
function installFrom (folder: string, place = temporaryFolder()): string {
  execFileSync(
    'npm', ['pack', '--ignore-scripts', '--offline', '--silent', '--pack-destination', place],
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] }
  )
  execFileSync('tar', ['-xzf', join(place, `corelo-${version}.tgz`), '-C', place])
  symlinkSync(join(ROOT, 'node_modules'), join(place, 'node_modules'))
  return join(place, 'package')
}

function run (installed: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath, [join(installed, bin.corelo), ...args], { encoding: 'utf8', cwd: installed }
  )
  return { status, stdout, stderr }
}

describe('the package', () => {
  const place = mkdtempSync(join(tmpdir(), 'corelo-package-'))
  let installed: string
  beforeAll(() => { installed = installFrom(ROOT, place) })
  afterAll(() => { rmSync(place, { recursive: true }) })

  it('is built when it is packed, and says where the packages for that are missing', () => {
    const clone = join(temporaryFolder(), 'clone')
    for (const name of ['package.json', '.npmrc', 'bin', 'scripts/require-packages.mjs']) {
      cpSync(join(ROOT, name), join(clone, name), { recursive: true })
    }
    const { status, stderr } = spawnSync('npm', ['pack', '--offline', '--pack-destination', clone], { encoding: 'utf8', cwd: clone })
    expect(status).not.toBe(0)
    expect(stderr).toContain('run "npm ci" first')
    expect(readdirSync(clone).filter(name => name.endsWith('.tgz'))).toEqual([])
  })

  it('needs no package that runs a script of its own when it is installed', () => {
    const { packages } = JSON.parse(readFileSync(
      join(ROOT, 'package-lock.json'), 'utf8'
    )) as { packages: Record<string, { hasInstallScript?: boolean }> }
    expect(Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([])
  })

  it('has all that the command needs', () => {
    expect(run(installed, ['--help'])).toMatchObject({ status: 0, stderr: '' })
    expect(run(installed, ['--version']).stdout).toMatch(/^corelo \d/)
    const inspected = run(installed, ['inspect', join(ROOT, 'examples/exec.bpf.o'), '--json'])
    expect(inspected).toMatchObject({ status: 0, stderr: '' })
  })

  it('has the library, with the types of all that it exports', () => {
    const names = "import('corelo').then(library => console.log(Object.keys(library).join()))"
    const { status, stdout } = spawnSync(process.execPath, ['-e', names], { encoding: 'utf8', cwd: installed })
    expect(status).toBe(0)
    expect(stdout.trim().split(',')).toEqual(expect.arrayContaining(['parseBtf', 'relocate']))
    const types = [join(installed, 'dist/index.d.ts')]
    for (const path of types) {
      for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
        const imported = join(dirname(path), `${name}.d.ts`)
        if (!types.includes(imported)) types.push(imported)
      }
    }
    expect(types.length).toBeGreaterThan(10)
  })

  it('has the web page with all that it loads', () => {
    const page = join(installed, 'dist/page')
    const loaded = [...readFileSync(join(page, 'index.html'), 'utf8').matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name = '']) => name)
    expect(loaded.map(name => name.split('.').at(-1)).sort()).toEqual(['css', 'js', 'svg'])
    for (const name of loaded) expect(readFileSync(join(page, name)).length).toBeGreaterThan(0)
  })

  it('says what to do where it was packed without a build', () => {
    const clone = join(temporaryFolder(), 'clone')
    mkdirSync(clone)
    for (const name of ['package.json', '.npmrc', 'README.md', 'LICENSE', 'bin']) {
      cpSync(join(ROOT, name), join(clone, name), { recursive: true })
    }
    const { status, stderr } = run(installFrom(clone), ['--help'])
    expect(status).toBe(2)
    expect(stderr).toContain('"npm pack" makes a package that is built')
  })
})

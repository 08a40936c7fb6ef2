import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where `test/lab/prepare.sh` puts libbpf's side of the comparison, real objects and real BTF. */
export const labFolder = process.env.CORELO_LAB_DIR ?? join(import.meta.dirname, '..', '.lab')

export const oraclePath = join(labFolder, 'bin', 'oracle')

export function hasLab () { return existsSync(oraclePath) }

/** @returns {Array<{ name: string, path: string }>} */
export function labBtfs () { return listFiles('btf', '.btf') }

export function labObjects () { return listFiles('objects', '.bpf.o') }

/** Of packages besides libbpf-tools. */
export function otherObjects () { return listFiles('others', '.bpf.o') }

/** Kernel packages of a series. */
export function labPackages (series) { return listFiles(join('packages', series), '.deb').map(({ path }) => path) }

/** What a command of the oracle prints, which is JSON. */
export function oracle (...args) {
  return JSON.parse(execFileSync(oraclePath, args.map(String), { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 }).toString())
}

function listFiles (folder, ending) {
  const path = join(labFolder, folder)
  if (!existsSync(path)) return []
  return readdirSync(path).filter(file => file.endsWith(ending)).sort().map(file =>
    ({ name: file.slice(0, -ending.length), path: join(path, file) }))
}

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './corelo.js'

const BUNDLE = join(ROOT, 'dist/bundle')

/** What a file of the bundle loads at once, by all that it imports: files of the bundle, and packages. */
function loadedBy (entry: string): { readonly files: readonly string[], readonly packages: readonly string[] } {
  const files = [entry]
  const packages = new Set<string>()
  for (const file of files) {
    for (const [, name = ''] of readFileSync(join(BUNDLE, file), 'utf8').matchAll(/^(?:import|export)\b[^;"']*["']([^"']+)["'];?$/gm)) {
      const [, chunk] = /^\.\/(.*)$/.exec(name) ?? []
      if (chunk === undefined && !name.startsWith('node:')) packages.add(name)
      else if (chunk !== undefined && !files.includes(chunk)) files.push(chunk)
    }
  }
  return { files, packages: [...packages].toSorted() }
}

/** The file that the bundle has made of a source which is loaded later. */
function chunkOf (name: string): string {
  const [chunk, ...others] = readdirSync(BUNDLE).filter(file => file.replace(/-[\w-]{8}\.js$/, '') === name)
  if (chunk === undefined || others.length > 0) throw new Error(`the bundle has ${others.length === 0 ? 'no' : 'several'} ${name}`)
  return chunk
}

describe('what a start loads', () => {
  it('is no package where the command only says what it is, or relocates here', () => {
    for (const entry of ['main.js', chunkOf('relocate')]) expect(loadedBy(entry).packages).toEqual([])
  })

  it('is none of the packages that few services need', () => {
    const { packages } = loadedBy(chunkOf('server'))
    expect(packages).toContain('fastify')
    const few = ['aws4fetch', 'jose', 'openpgp', 'saxes', 'seek-bzip', 'tar-stream', 'undici', 'yaml', 'zstddec/stream']
    expect(packages.filter(name => few.includes(name))).toEqual([])
  })

  it('is one file of ours in each thread', () => {
    expect(loadedBy('worker-task.js')).toEqual({ files: ['worker-task.js'], packages: ['lru-cache'] })
    expect(loadedBy('package-worker.js').files).toEqual(['package-worker.js'])
  })
})

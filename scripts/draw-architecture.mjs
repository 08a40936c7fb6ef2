// Writes the drawing of docs/architecture.md anew: the folders of src/ as boxes, an arrow for each that imports another. Of an
// arrow that longer ways of arrows imply, nothing is drawn, or every folder would point at store/ and errors.ts.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = `${root}docs/architecture.md`
const BEGIN = '<!-- drawn by scripts/draw-architecture.mjs -->'
const END = '<!-- end of the drawing -->'

const { stdout, stderr } = spawnSync(process.execPath, [
  'node_modules/dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--output-type', 'json'
], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 256 * 1024 * 1024
})
if (stdout === '') throw new Error(`dependency-cruiser gave no result: ${stderr}`)

/** Folder below src/, or undefined for its few files and for packages. */
const folderOf = path => /^src\/([^/]+)\//.exec(path)?.[1]
const imports = new Map()
for (const { source, dependencies } of JSON.parse(stdout).modules) {
  const from = folderOf(source)
  if (from === undefined) continue
  const targets = imports.get(from) ?? imports.set(from, new Set()).get(from)
  for (const { resolved } of dependencies) {
    const to = folderOf(resolved)
    if (to !== undefined && to !== from) targets.add(to)
  }
}

const reaches = (from, to, seen = new Set()) => [...imports.get(from) ?? []].some(next => {
  if (next === to) return true
  if (seen.has(next)) return false
  seen.add(next)
  return reaches(next, to, seen)
})
const arrows = [...imports].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([from, targets]) =>
  [...targets].sort().filter(to => ![...targets].some(other => other !== to && reaches(other, to))).map(to => `  ${from} --> ${to}`))

const text = readFileSync(page, 'utf8')
const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)]
if (start === -1 || end < start) throw new Error(`${page} has no place for the drawing between "${BEGIN}" and "${END}".`)
const boxes = [...imports.keys()].sort().map(name => `  ${name}["${name}/"]`)
writeFileSync(
  page, `${text.slice(0, start)}${BEGIN}\n\n\`\`\`mermaid\ngraph TD\n${[...boxes, ...arrows].join('\n')}\n\`\`\`\n\n${text.slice(end)}`
)

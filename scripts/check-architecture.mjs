// Checks the direction of imports (.dependency-cruiser.cjs). A checker that sees no modules finds no violations either: with
// a TypeScript that it does not know, dependency-cruiser reports success on nothing. So the modules are counted, too.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = readdirSync(`${root}/src`, { recursive: true }).filter(file => file.endsWith('.ts'))

const { stdout, stderr, status } = spawnSync(process.execPath, [
  'node_modules/dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--output-type', 'json'
], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 256 * 1024 * 1024
})
let result
try {
  result = JSON.parse(stdout)
} catch {
  console.error(`dependency-cruiser gave no result (exit ${status}):\n${stderr || stdout}`)
  process.exit(1)
}

const { violations } = result.summary
const seen = result.modules.filter(({ source }) => source.startsWith('src/'))
for (const { rule, from, to, cycle } of violations) {
  console.error(`${rule.name}: ${from} -> ${cycle === undefined ? to : cycle.map(({ name }) => name).join(' -> ')}`)
}
if (seen.length < sources.length) {
  console.error(`Only ${seen.length} of ${sources.length} source files were seen; the check is worth nothing.`)
}
if (violations.length > 0 || seen.length < sources.length) process.exit(1)
console.log(`architecture: ${seen.length} modules, ${result.summary.totalDependenciesCruised} dependencies, no violation`)

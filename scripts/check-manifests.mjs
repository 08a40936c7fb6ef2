// Checks what deploy/ would apply to a cluster, without one: schemas, Pod Security, that it agrees with the code, and that what helm prints
// after an installation fits that.
//
//     node scripts/check-manifests.mjs              the chart in several settings, and the examples
//     node scripts/check-manifests.mjs FILE...      these manifests only
//
// The chart needs helm: CORELO_HELM, or one on the path. scripts/get-helm.sh fetches it. Without one the chart is skipped with a
// message, or, where CI is set, the check fails.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { checkAgreement } from './manifests/agreement.mjs'
import { checkPodSecurity } from './manifests/pod-security.mjs'
import { checkNotes } from './manifests/notes.mjs'
import { findHelm, lint, render, renderNotes, SETTINGS, WRONG_SETTINGS } from './manifests/render.mjs'
import { checkSchemas } from './manifests/schemas.mjs'
import { parseManifests } from './manifests/documents.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const isCi = !['', '0', 'false', undefined].includes(process.env.CI)
const files = process.argv.slice(2)
const sources = files.length > 0 ? files.map(readSource) : [...examples(), ...charts()]
const documents = sources.flatMap(({ name, text }) => parseManifests(name, text))
const noteProblems = sources.flatMap(({ name, notes }) => notes === undefined
  ? []
  : checkNotes(notes, documents.filter(({ source }) => source === name)).map(problem => `${name}: NOTES: ${problem}`))
const problems = [
  ...checkSchemas(root, documents), ...checkPodSecurity(documents), ...await checkAgreement(root, documents), ...noteProblems
]

for (const problem of problems) console.error(problem)
console.log(`${documents.length} documents of ${sources.length} manifests, ${problems.length} problems`)
process.exit(documents.length > 0 && problems.length === 0 ? 0 : 1)

function readSource (name) { return { name, text: readFileSync(name, 'utf8') } }

function examples () {
  return readdirSync(`${root}deploy/examples`, { recursive: true })
    .filter(name => name.endsWith('.yaml') && !name.startsWith('values-'))
    .map(name => readSource(`${root}deploy/examples/${name}`))
}

function charts () {
  const helm = findHelm(root)
  if (helm === undefined) {
    console.error('The chart is not checked: there is no helm. scripts/get-helm.sh fetches it; CORELO_HELM names another one.')
    if (isCi) process.exit(1)
    return []
  }
  if (!existsSync(`${root}dist/http/config.js`)) {
    console.error('Run npm run build first.')
    process.exit(1)
  }
  lint(helm, root)
  for (const { name, args, message } of WRONG_SETTINGS) {
    const { text, error } = render(helm, root, args)
    if (text !== undefined || !error.includes(message)) {
      console.error(`chart (${name}): it should be refused with "${message}", and ${text === undefined ? `says: ${error}` : 'is not'}`)
      process.exit(1)
    }
  }
  return SETTINGS.map(({ name, args }) => {
    const [{ text, error }, notes] = [render(helm, root, args), renderNotes(helm, root, args)]
    if (text === undefined || notes.text === undefined) {
      console.error(`chart (${name}): ${error ?? notes.error}`)
      process.exit(1)
    }
    return { name: `chart (${name})`, text, notes: notes.text }
  })
}

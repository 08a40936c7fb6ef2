// `npm pack` builds first, which needs the packages of this project: says so where they are not installed.
import { existsSync } from 'node:fs'

if (!existsSync(new URL('../node_modules/typescript', import.meta.url))) {
  console.error('corelo is built before it is packed, and that needs its packages: run "npm ci" first.')
  process.exitCode = 1
}

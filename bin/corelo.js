#!/usr/bin/env node
// `npm pack` runs no build here, since .npmrc turns scripts off. A package that was packed without one says so, instead of "module not found".
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  console.error('corelo has not been built: run "npm run build" in its folder; "npm run pack" makes a package that is built.')
  process.exitCode = 2
}

#!/usr/bin/env node
// A folder or a package without a build (`npm pack --ignore-scripts`) says so, instead of "module not found".
import { existsSync } from 'node:fs'

const main = new URL('../dist/bundle/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  console.error('corelo has not been built: run "npm run build" in its folder; "npm pack" makes a package that is built.')
  process.exitCode = 2
}

// Debian's own repository, as apt on this machine names it, through the service: a few kernels, or with --all every one, with a table. Needs the lab.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const env = { ...process.env, ...(process.argv.includes('--all') ? { CORELO_PACKAGES_ALL: '1' } : {}) }
const { status } = spawnSync(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, 'run', '--config', 'vitest.lab.config.ts', 'test/packages/debian.test.ts'], { cwd: root, stdio: 'inherit', env })
process.exit(status ?? 1)

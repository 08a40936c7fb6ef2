// Runs the tests that need more than Node: libbpf, real objects, kernels, root. test/lab/prepare.sh makes what they use.
// Without it they are skipped with a message, or, where CI is set, fail: a CI that tests nothing must not be green.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lab = process.env.CORELO_LAB_DIR ?? `${root}.lab`

if (!existsSync(`${lab}/bin/oracle`)) {
  const isCi = !['', '0', 'false', undefined].includes(process.env.CI)
  console.error(
    `The lab tests are ${isCi ? 'not run' : 'skipped'}: there is no lab at ${lab}. As root on Debian 12: test/lab/prepare.sh --install`
  )
  process.exit(isCi ? 1 : 0)
}
const { status } = spawnSync(
  process.execPath, [`${root}node_modules/vitest/vitest.mjs`, 'run', '--config', 'vitest.lab.config.ts', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' }
)
process.exit(status ?? 1)

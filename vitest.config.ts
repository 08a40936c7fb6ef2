import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { configDefaults, defineConfig } from 'vitest/config'
import { COMPILE_LATER } from './test/support/compile-later.js'
import { LAB_TESTS } from './vitest.lab.config.js'

// Holds for the threads that start after it, which run the tests.
for (const option of COMPILE_LATER) setFlagsFromString(option)

/** What runs wherever Node runs. What needs libbpf, kernels or root is in vitest.lab.config.ts. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...LAB_TESTS],
    globalSetup: ['test/support/memory-folder.ts'],
    setupFiles: ['test/support/equal-bytes.ts'],
    pool: 'threads',
    isolate: false,
    // One more than there are processors, since some files wait for other processes, or for a time that is what they test.
    maxWorkers: availableParallelism() + 1,
    // Only a hang takes so long, also on a machine that is ten times slower. CI has its own limit.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 100_000 } }
  }
})

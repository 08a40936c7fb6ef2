import { configDefaults, defineConfig } from 'vitest/config'

/** What runs wherever Node runs. What needs libbpf, kernels or root is in vitest.lab.config.ts. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/differential/**', 'test/kernel/**', 'test/container/**', 'test/network/**'],
    pool: 'threads',
    isolate: false,
    // Only a hang takes so long, also on a machine that is ten times slower. CI has its own limit.
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})

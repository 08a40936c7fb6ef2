import { configDefaults, defineConfig } from 'vitest/config'

/** What runs wherever Node runs. What needs libbpf, kernels or root is in vitest.lab.config.ts. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/differential/**', 'test/kernel/**', 'test/container/**'],
    pool: 'threads',
    isolate: false,
    testTimeout: 20_000
  }
})

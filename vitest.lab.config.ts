import { defineConfig } from 'vitest/config'

/** Tests against libbpf, in kernels and of the images; see scripts/test-lab.mjs. A guest boots in software, which takes its time. */
export default defineConfig({
  test: {
    include: ['test/differential/**/*.test.ts', 'test/kernel/**/*.test.ts', 'test/container/**/*.test.ts', 'test/packages/**/*.test.ts', 'test/network/**/*.test.ts'],
    pool: 'threads',
    isolate: false,
    testTimeout: 300_000
  }
})

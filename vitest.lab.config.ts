import { defineConfig } from 'vitest/config'

/** Tests that need more than Node: libbpf, kernels, images, package repositories, network namespaces. Everything else is for `npm test`. */
export const LAB_TESTS = ['differential', 'kernel', 'container', 'packages', 'network'].map(folder => `test/${folder}/**/*.test.ts`)

/** See scripts/test-lab.mjs. A guest boots in software, which takes its time. */
export default defineConfig({
  test: {
    include: LAB_TESTS,
    setupFiles: ['test/support/equal-bytes.ts'],
    pool: 'threads',
    isolate: false,
    // Much of it waits for a guest or another tool that has one thread: one file alone would leave processors without work.
    maxWorkers: '100%',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 100_000 } }
  }
})

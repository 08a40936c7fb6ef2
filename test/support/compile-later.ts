import { versions } from 'node:process'

/**
 * Options of V8 with which it compiles later what runs often: after about fifteen times as much as it does by itself. Most of what tests
 * run ends before compiling it in the background, on two threads and more, has paid off: a fifth of their time, and a sixth of what a
 * start of the service takes. What runs for long is still compiled.
 *
 * For Node 20. Newer ones count otherwise, and have a cheap compiler before the dear one.
 */
export const COMPILE_LATER: readonly string[] = Number(versions.node.split('.')[0]) < 22 ? ['--interrupt-budget=1000000'] : []

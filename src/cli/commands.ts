import type { Commands } from './command.js'

/** Loaded when called: `relocate` must not wait for the HTTP server's code. */
export const COMMANDS: Commands = {
  relocate: { summary: 'Relocate an object for a kernel.', load: () => import('./relocate.js') },
  check: { summary: 'Say on which kernels objects load, and why not on the others.', load: () => import('./check.js') },
  inspect: { summary: 'List what an object contains and what it asks of a kernel.', load: () => import('./inspect.js') },
  btf: { summary: 'Import, list, cut down and export the BTF of kernels.', load: () => import('./btf.js') },
  keys: { summary: 'Make, show and rotate signing keys; verify attestations; make tokens.', load: () => import('./keys.js') },
  serve: { summary: 'Run the HTTP service.', load: () => import('./serve.js') },
  agent: { summary: "Keep a node's objects relocated for its kernel, by a service.", load: () => import('./agent.js') }
}

/** What prints the completion of all of them, and so is not among them. */
export const COMPLETION_SUMMARY = 'Print what makes a shell complete commands and options.'

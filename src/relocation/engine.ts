import { createRequire } from 'node:module'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** What relocates, as results and attestations name it. A change of it makes every result a new one. */
export const ENGINE = { name: 'corelo', version, semantics: 'libbpf 1.8' } as const

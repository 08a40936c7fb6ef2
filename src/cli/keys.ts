import { createCommandGroup } from './command-group.js'

export const { spec, run, help, subcommands } = createCommandGroup({
  name: 'keys',
  summary: 'The keys that sign results, and the tokens of callers.',
  commands: {
    generate: { summary: 'Make a signing key.', load: () => import('./keys/generate.js') },
    show: { summary: 'Show the keys of a file or of a service.', load: () => import('./keys/show.js') },
    rotate: { summary: 'Add a key to a file of signing keys, or let one that was announced sign.', load: () => import('./keys/rotate.js') },
    verify: { summary: 'Verify that a relocated object is what was asked for.', load: () => import('./keys/verify.js') },
    token: { summary: 'Make a token for a caller.', load: () => import('./keys/token.js') }
  }
})

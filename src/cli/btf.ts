import { createCommandGroup } from './command-group.js'

export const { spec, run, help, subcommands } = createCommandGroup({
  name: 'btf',
  summary: 'Imports, lists, fetches, reads, compares, cuts down and exports the BTF of kernels.',
  commands: {
    import: {
      summary: 'Take BTF out of images, packages, archives and bundles, into the cache or a service.',
      load: () => import('./btf/import.js')
    },
    list: { summary: 'List the kernels whose BTF is held.', load: () => import('./btf/list.js') },
    sync: { summary: 'Fetch the BTF of published kernels ahead, into the cache or a service.', load: () => import('./btf/sync.js') },
    types: { summary: "Print a kernel's types as C: one, or all of them as vmlinux.h.", load: () => import('./btf/types.js') },
    diff: { summary: 'Say how a type differs between two kernels.', load: () => import('./btf/diff.js') },
    history: { summary: 'Say in which releases a type or member was where.', load: () => import('./btf/history.js') },
    min: { summary: 'Cut the BTF of a kernel down to what objects need.', load: () => import('./btf/min.js') },
    export: { summary: 'Pack BTF, or relocated objects, of kernels into one file.', load: () => import('./btf/export.js') }
  }
})

import { usageError, type Arguments, type CommandSpec, type OptionSpec } from './arguments.js'

/** The options that say what to relocate for: as findTarget and findRemoteTarget take them. */
export const TARGET_OPTIONS = {
  kernel: {
    short: 'k',
    value: 'REF',
    help: 'The kernel: <distro>/<distro_version>/<arch>/<kernel_release>, or a bare release (uname -r). ' +
      'Looked for in the running kernel and in the local cache. Default: the running kernel.'
  },
  btf: {
    short: 'b',
    value: 'FILE',
    repeatable: true,
    help: "The kernel's BTF instead: raw, or a file that has it (vmlinux, vmlinuz, .btf.tar.xz, .deb, .rpm). " +
      'Give it again for the split BTF of modules: vmlinux first.'
  },
  modules: { short: 'm', value: 'A,B', help: 'Kernel modules whose BTF may be consulted, in the order in which the kernel loaded them.' }
} as const satisfies Record<string, OptionSpec>

/** The option that says where the kernels are that are held here: as placesOf takes it. */
export const CACHE_OPTION = {
  'cache-dir': { value: 'DIR', help: 'The local cache to look in. Default: CORELO_CACHE_DIR, else btfhub-cache.' }
} as const satisfies Record<string, OptionSpec>

/** The options that say which service does it instead. */
export const SERVER_OPTIONS = {
  server: { short: 's', value: 'URL', help: 'Let a service do it, which knows the kernels. Default: here, with the local cache.' },
  'token-file': { value: 'FILE', help: 'With --server: file with the token to send.' }
} as const satisfies Record<string, OptionSpec>

/** @throws AppError `invalid_request` where the options name a kernel twice */
export function requireOneTarget (spec: CommandSpec, options: Arguments): void {
  if (options.has('btf') && options.has('kernel')) throw usageError(spec, 'Give the kernel by --kernel or by --btf, not by both.')
  if (options.has('btf') && options.has('modules')) {
    throw usageError(spec,
      'With --btf, give the BTF of modules as further --btf FILE after that of vmlinux; --modules goes with --kernel.')
  }
}

/** @throws AppError `invalid_request` where a service is asked, and a cache of this machine is named */
export function requireOneCache (spec: CommandSpec, options: Arguments): void {
  if (options.has('server') && options.has('cache-dir')) {
    throw usageError(spec, 'With --server, leave --cache-dir out: the service has its own cache.')
  }
}

/** @throws AppError `invalid_request` where one of the options is given that only `--server` has a use for, without that */
export function requireServerFor (spec: CommandSpec, options: Arguments, names: readonly string[]): void {
  for (const name of names) {
    if (options.has(name) && !options.has('server')) throw usageError(spec, `Option --${name} goes with --server.`)
  }
}

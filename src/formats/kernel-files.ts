/** What a file of a kernel package is, by its path in it. */
export type KernelFile =
  | { readonly kind: 'image', readonly release: string }
  | { readonly kind: 'debugImage', readonly release: string }
  | { readonly kind: 'module', readonly release: string, readonly module: string }

const IN_BOOT = /boot\/(?:vmlinu[xz]|Image|zImage|bzImage|kernel|image)-/.source
const IN_MODULES = /(?:usr\/)?lib\/modules\/(?=[^/]+\/(?:vmlinu[xz]|Image|zImage|bzImage|image)$)/.source
const IMAGE = new RegExp(`^(?:${IN_BOOT}|${IN_MODULES})([^/]+?)(?:/[^/]+)?$`)
const DEBUG_IMAGE = /^usr\/lib\/debug\/(?:boot\/vmlinux-([^/]+?)(?:\.debug)?|(?:usr\/)?lib\/modules\/([^/]+)\/vmlinux(?:\.debug)?)$/
const MODULE = /^(?:usr\/)?lib\/modules\/([^/]+)\/(?:.*\/)?([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/

/** Undefined for what is of no interest: configurations, symbol tables, documentation. */
export function kernelFileOf (path: string): KernelFile | undefined {
  const module = MODULE.exec(path)
  if (module?.[1] !== undefined && module[2] !== undefined) return { kind: 'module', release: module[1], module: moduleName(module[2]) }
  const debug = DEBUG_IMAGE.exec(path)
  const debugRelease = debug?.[1] ?? debug?.[2]
  if (debugRelease !== undefined) return { kind: 'debugImage', release: debugRelease }
  const release = IMAGE.exec(path)?.[1]
  return release === undefined ? undefined : { kind: 'image', release }
}

/** Name of the module that a file is by its own name, wherever it lies. */
export function moduleOfFile (path: string): string | undefined {
  const name = /(?:^|\/)([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(path)?.[1]
  return name === undefined ? undefined : moduleName(name)
}

/** The kernel calls a module as its file is called, with underscores for dashes. */
export function moduleName (file: string): string { return file.replaceAll('-', '_') }

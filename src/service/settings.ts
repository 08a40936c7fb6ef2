/** What an operator decides. Who reads the environment fills it in; the service has no defaults of its own but where noted. */
export interface ServiceSettings {
  /** Folder of the content store and the index. Made when it is missing. */
  readonly cacheDir: string
  /** Budget of BTFs, objects and results in memory, in bytes. */
  readonly memoryBytes: number
  readonly workers: number
  /** Milliseconds that a task may take, waiting for a worker included. */
  readonly deadlineMs: number
  readonly maxObjectBytes: number
  readonly maxBtfBytes: number
  /** Whether to offer the running kernel's own BTF. */
  readonly localKernel: boolean
  /** Root of the host's file system, for its os-release. Undefined: `/host` where that has one, else `/`. */
  readonly hostRoot?: string
  /** Whether uploaded BTF answers for a kernel's name, and not only for its hash. */
  readonly trustUploads: boolean
  /** PEM files of Ed25519 keys, separated by commas: the first key signs, all are published. Undefined: one in the cache folder, made when it is missing. */
  readonly signingKeyFile?: string
  /** Undefined: /sys/kernel/btf. */
  readonly kernelBtfDir?: string
  /** Tasks that may wait for a worker. Undefined: 32 for each worker. */
  readonly queueLimit?: number
}

export interface ServiceHooks {
  /** Told of what went wrong without failing a request. For the log. */
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
}

export type Warn = NonNullable<ServiceHooks['onWarning']>

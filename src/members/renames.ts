/** A member of a kernel struct that was renamed or replaced, where names alone do not tell by what. */
interface Rename {
  /** Without `struct`. */
  readonly type: string
  /** Path of the member before, or of what replaced it. Either side may be what a program asks for. */
  readonly names: readonly string[]
}

/**
 * What the kernel's history says. Paths are C's, from the struct on; only those that a kernel really has are shown. They are looked for
 * with findPathAlone, because layout digests have no more of what is behind a pointer.
 */
const RENAMES: readonly Rename[] = [
  { type: 'task_struct', names: ['state', '__state'] }, // 5.14
  { type: 'task_struct', names: ['cpu', 'thread_info.cpu'] }, // 5.16
  { type: 'task_struct', names: ['real_start_time', 'start_boottime'] }, // 5.5
  { type: 'mm_struct', names: ['mmap_sem', 'mmap_lock'] }, // 5.8
  { type: 'bio', names: ['bi_disk', 'bi_bdev->bd_disk'] }, // 5.12
  { type: 'request', names: ['rq_disk', 'q->disk', 'part->bd_disk'] }, // 5.17
  { type: 'inode', names: ['i_atime.tv_sec', '__i_atime.tv_sec', 'i_atime_sec'] }, // 6.7, 6.11
  { type: 'inode', names: ['i_atime.tv_nsec', '__i_atime.tv_nsec', 'i_atime_nsec'] },
  { type: 'inode', names: ['i_mtime.tv_sec', '__i_mtime.tv_sec', 'i_mtime_sec'] },
  { type: 'inode', names: ['i_mtime.tv_nsec', '__i_mtime.tv_nsec', 'i_mtime_nsec'] },
  { type: 'inode', names: ['i_ctime.tv_sec', '__i_ctime.tv_sec', 'i_ctime_sec'] }, // 6.6, 6.11
  { type: 'inode', names: ['i_ctime.tv_nsec', '__i_ctime.tv_nsec', 'i_ctime_nsec'] },
  { type: 'folio', names: ['flags', 'flags.f'] }, // 6.18
  { type: 'page', names: ['flags', 'flags.f'] },
  { type: 'kernfs_node', names: ['parent', '__parent'] }, // 6.15
  { type: 'thread_struct', names: ['fs', 'fsbase'] }, // 4.7
  { type: 'thread_struct', names: ['gs', 'gsbase'] },
  { type: 'rtable', names: ['rt_gateway', 'rt_gw4'] } // 5.2
]

/** Members whose meaning went over into others: to read one in the place of another gives a wrong value. */
const REPLACED: readonly Rename[] = [
  { type: 'iov_iter', names: ['type', 'data_source'] }, // 5.14: the direction was the lowest bit of the type
  { type: 'iov_iter', names: ['type', 'iter_type'] }
]

/** Structs that were renamed. */
const TYPES: ReadonlyArray<readonly string[]> = [
  ['fanotify_event_info', 'fanotify_event'], // 5.1
  ['fanotify_perm_event_info', 'fanotify_perm_event'],
  ['netns_frags', 'fqdir'], // 5.3
  ['trace_event_raw_block_rq_complete', 'trace_event_raw_block_rq_completion'] // 5.18
]

const othersIn = (renames: readonly Rename[], type: string, path: string): string[] => renames
  .filter(rename => rename.type === type && rename.names.includes(path))
  .flatMap(({ names }) => names.filter(name => name !== path))

/** Paths that other kernels have for what `type` has at `path`, in the order in which they came. */
export function otherNamesOf (type: string, path: string): string[] { return othersIn(RENAMES, type, path) }

/** Paths by which other kernels tell in another way what `type` tells at `path`. */
export function replacedBy (type: string, path: string): string[] { return othersIn(REPLACED, type, path) }

/** Names that other kernels have for a struct, all without `struct`. */
export function otherTypeNamesOf (type: string): string[] {
  return TYPES.filter(names => names.includes(type)).flatMap(names => names.filter(name => name !== type))
}

/** The paths of the history that go on behind a pointer. */
export function pathsBehindPointers (): ReadonlyArray<{ readonly type: string, readonly path: string }> {
  return RENAMES.flatMap(({ type, names }) => names.filter(name => name.includes('->')).map(path => ({ type, path })))
}

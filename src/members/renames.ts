/** A member of a kernel struct that was renamed or replaced, where names alone do not tell by what. */
interface Rename {
  /** Without `struct`. */
  readonly type: string
  /** Path of the member before, or of what replaced it. Either side may be what a program asks for. */
  readonly names: readonly string[]
}

/** What the kernel's history says. Paths are C's, from the struct on; only those that a kernel really has are shown. */
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
  { type: 'kernfs_node', names: ['parent', '__parent'] } // 6.15
]

/** Paths that other kernels have for what `type` has at `path`, in the order in which they came. */
export function otherNamesOf (type: string, path: string): string[] {
  return RENAMES
    .filter(rename => rename.type === type && rename.names.includes(path))
    .flatMap(({ names }) => names.filter(name => name !== path))
}

/** The pointers that reasons follow: members through which a path of the history goes on in another type. */
export function followedMembers (): ReadonlyArray<{ readonly type: string, readonly member: string }> {
  const followed = RENAMES.flatMap(({ type, names }) =>
    names.filter(name => name.includes('->')).map(name => ({ type, member: name.slice(0, name.indexOf('->')) })))
  return followed.filter(({ type, member }, i) => followed.findIndex(other => other.type === type && other.member === member) === i)
}

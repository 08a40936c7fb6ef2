/** They follow from the object alone, which is asked of for many kernels. */
const known = new WeakMap<Uint8Array, boolean>()

/** Whether an object may read LINUX_KERNEL_VERSION, by its file: a name that it has nowhere is not that of an extern in it. */
export function readsVersion ({ bytes }: { readonly bytes: Uint8Array }): boolean {
  let reads = known.get(bytes)
  if (reads === undefined) {
    reads = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('LINUX_KERNEL_VERSION')
    known.set(bytes, reads)
  }
  return reads
}

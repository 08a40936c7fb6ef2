/** A regular file in an archive or a package. Members come one after the other; one that is not read is passed over. */
export interface Member {
  /** As stored: never to be used as a path. */
  readonly name: string
  /** Bytes, as its header says. */
  readonly size: number
  /** Its content. To be called before the next member is asked for. */
  read(): Promise<Uint8Array>
}

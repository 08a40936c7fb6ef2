/** The code of a file system error (`ENOENT`), or of any other error that has one. */
export function errorCode (error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

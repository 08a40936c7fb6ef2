/**
 * What objects are called in rows: their file names, or as much of the end of their paths as tells them apart (`a/x.bpf.o` and
 * `b/x.bpf.o`). Of the same path there is one object.
 */
export function objectNames (paths: readonly string[]): string[] {
  const segments = paths.map(path =>
    path === '-' ? ['standard input'] : path.split('/').filter(segment => segment !== '' && segment !== '.'))
  return segments.map((own, i) => {
    const isTold = (name: string, length: number): boolean =>
      segments.every((other, j) => paths[j] === paths[i] || lastOf(other, length) !== name)
    for (let length = 1; length < own.length; length++) {
      const name = lastOf(own, length)
      if (isTold(name, length)) return name
    }
    return own.join('/')
  })
}

function lastOf (segments: readonly string[], length: number): string { return segments.slice(-length).join('/') }

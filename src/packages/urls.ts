import { posix } from 'node:path'

/** A path below an address, whose own path, user and password stay. Each part is escaped: `+` and `~` are in real versions. */
export function below (base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = posix.join('/', base.pathname, ...path.split('/').map(encodeURIComponent))
  url.search = base.search
  return url
}

import { createHash } from 'node:crypto'

/** One package of an index. Nobody downloads it. */
export interface ListedPackage {
  readonly name: string
  readonly version: string
  readonly bytes: number
}

/** The files of a suite with one index, by their paths, written by hand after the format's description. Nobody signed it. */
export function aptFiles (suite: string, arch: string, packages: readonly ListedPackage[]): ReadonlyMap<string, string> {
  const index = packages.map(({ name, version, bytes }) => [
    `Package: ${name}`, `Version: ${version}`, `Architecture: ${arch}`, `Filename: pool/main/l/linux/${name}_${version}_${arch}.deb`,
    `Size: ${bytes}`, `SHA256: ${createHash('sha256').update(name).digest('hex')}`, ''
  ].join('\n')).join('\n')
  const path = `main/binary-${arch}/Packages`
  const release = `Suite: ${suite}\nCodename: ${suite}\nDate: ${new Date().toUTCString().replace('GMT', 'UTC')}\nSHA256:\n` +
    ` ${createHash('sha256').update(index).digest('hex')} ${Buffer.byteLength(index)} ${path}\n`
  return new Map([[`/dists/${suite}/InRelease`, release], [`/dists/${suite}/${path}`, index]])
}

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createReadStream, existsSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

/** A key made by gpg, in a keyring of its own. */
export interface TestKey {
  readonly home: string
  readonly publicKey: string
}

export function makeKey (scratch: string, name: string): TestKey {
  const home = join(scratch, `gnupg-${name}`)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  gpg(home, ['--quick-gen-key', '--passphrase', '', `${name} <${name}@example.org>`, 'rsa3072', 'sign', 'never'])
  const publicKey = join(scratch, `${name}.asc`)
  writeFileSync(publicKey, execFileSync('gpg', ['--homedir', home, '--batch', '--armor', '--export']))
  return { home, publicKey }
}

function gpg (home: string, args: readonly string[]): void {
  execFileSync(
    'gpg', ['--homedir', home, '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], { stdio: 'ignore' }
  )
}

export interface SuiteOptions {
  readonly root: string
  readonly suite: string
  readonly component: string
  readonly arch: string
  /** Undefined: not signed. */
  readonly key: TestKey | undefined
  /** Undefined: it never ends. */
  readonly validUntil?: string
  readonly date?: string
  readonly packing?: 'xz' | 'gzip' | 'zstd'
}

/** Makes the indexes of a suite from what is in its pool, with apt-ftparchive and gpg. */
export function publishSuite ({ root, suite, component, arch, key, validUntil, date, packing = 'xz' }: SuiteOptions): void {
  const folder = join(root, 'dists', suite)
  const binary = join(folder, component, `binary-${arch}`)
  mkdirSync(binary, { recursive: true })
  const packages = execFileSync('apt-ftparchive', ['--arch', arch, 'packages', `pool/${suite}`], { cwd: root, maxBuffer: 64 * 1024 * 1024 })
  const command = packing === 'gzip' ? ['gzip', '-nc'] : packing === 'zstd' ? ['zstd', '-qc'] : ['xz', '-zc']
  const [tool = '', ...args] = command
  const packed = execFileSync(tool, args, { input: packages, maxBuffer: 64 * 1024 * 1024 })
  const name = `Packages.${packing === 'gzip' ? 'gz' : packing === 'zstd' ? 'zst' : 'xz'}`
  writeFileSync(join(binary, name), packed)
  const hash = execFileSync('sha256sum', [join(binary, name)]).toString().slice(0, 64)
  mkdirSync(join(binary, 'by-hash/SHA256'), { recursive: true })
  writeFileSync(join(binary, 'by-hash/SHA256', hash), packed)
  const release = execFileSync('apt-ftparchive', [
    '-o', `APT::FTPArchive::Release::Suite=${suite}`, '-o', `APT::FTPArchive::Release::Codename=${suite}`,
    '-o', 'APT::FTPArchive::Release::Acquire-By-Hash=yes', '-o', `APT::FTPArchive::Release::Components=${component}`, 'release', folder
  ]).toString()
  const dated = date === undefined ? release : release.replace(/^Date: .*$/m, `Date: ${date}`)
  writeFileSync(
    join(folder, 'Release'), validUntil === undefined ? dated : dated.replace(/^(Date: .*)$/m, `$1\nValid-Until: ${validUntil}`)
  )
  if (key !== undefined) gpg(key.home, ['--clearsign', '--output', join(folder, 'InRelease'), join(folder, 'Release')])
  else writeFileSync(join(folder, 'InRelease'), readFileSync(join(folder, 'Release')))
}

/** Makes the metadata of an RPM repository with createrepo_c, and signs repomd.xml. */
export function publishRpms (
  folder: string, key: TestKey | undefined, { packing = 'gz', revision }: { readonly packing?: string, readonly revision?: number } = {}
): void {
  const ofRevision = revision === undefined ? [] : ['--revision', String(revision)]
  execFileSync(
    'createrepo_c', ['--quiet', '--general-compress-type', packing === 'zst' ? 'gz' : packing, ...ofRevision, folder], { stdio: 'ignore' }
  )
  if (packing === 'zst') packWithZstd(join(folder, 'repodata'))
  if (key !== undefined) {
    gpg(key.home, ['--detach-sign', '--armor', '--output', join(folder, 'repodata/repomd.xml.asc'), join(folder, 'repodata/repomd.xml')])
  }
}

/** Debian's createrepo_c knows no zstd: the primary index is packed again as Fedora's is, and named so in repomd.xml. */
function packWithZstd (repodata: string): void {
  const path = join(repodata, 'repomd.xml')
  const repomd = readFileSync(path, 'utf8')
  const [
    , checksum = '', name = ''
  ] = /<data type="primary">\s*<checksum type="sha256">(\w+)<[\s\S]*?<location href="repodata\/([^"]+)\.gz"/.exec(repomd) ??
    []
  const packed = execFileSync('/bin/sh', ['-c', 'gzip -dc "$0" | zstd -qc', join(repodata, `${name}.gz`)], { maxBuffer: 64 * 1024 * 1024 })
  const hash = createHash('sha256').update(packed).digest('hex')
  const plain = name.replace(checksum, hash)
  writeFileSync(join(repodata, `${plain}.zst`), packed)
  rmSync(join(repodata, `${name}.gz`))
  writeFileSync(path, repomd.replace(checksum, hash).replace(`${name}.gz`, `${plain}.zst`))
}

/** Signs packages themselves, with rpmsign. */
export function signRpm (path: string, key: TestKey): void {
  execFileSync(
    'rpmsign',
    [
      '--addsign', '--define', `_gpg_path ${key.home}`, '--define', '_gpg_name example.org', '--define', '__gpg /usr/bin/gpg', '--define',
      `__gpg_sign_cmd %{__gpg} gpg --homedir ${key.home} --batch --no-armor --pinentry-mode loopback --passphrase '' -u example.org ` +
        '-sbo %{__signature_filename} --digest-algo sha256 %{__plaintext_filename}',
      path
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
}

export interface RepositoryServer {
  readonly url: string
  /** Requests by path, in their order. */
  readonly requests: string[]
  /** What answers instead of the files; undefined: the files. */
  intercept: ((request: IncomingMessage, response: ServerResponse, path: string) => boolean) | undefined
  close(): Promise<void>
}

export async function serveFiles (root: string): Promise<RepositoryServer> {
  const requests: string[] = []
  const state: { intercept: RepositoryServer['intercept'] } = { intercept: undefined }
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
    requests.push(path)
    if (state.intercept?.(request, response, path) === true) return
    const file = join(root, normalize(path))
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end()
      return
    }
    const { size, mtimeMs } = statSync(file)
    const etag = `"${size}-${mtimeMs}"`
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end()
      return
    }
    response.writeHead(200, { 'content-length': size, etag })
    createReadStream(file).pipe(response)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get intercept () { return state.intercept },
    set intercept (value) { state.intercept = value },
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
}

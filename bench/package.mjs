import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { labFolder, labPackages } from './lab.mjs'
import { median } from './statistics.mjs'
import { cpuMsOfAll, peakBytes, residentBytes, startMeasured } from './servers.mjs'

/**
 * What a cold kernel of a package repository costs a service that is warm: CPU, and the most memory that was resident beyond what
 * was before. Two packages of Debian, whose kernels are packed with xz and with zstd, from a repository on this machine.
 *
 * Resident is what the process alone has (VmRSS), its peak what the kernel itself keeps (VmHWM), so that no peak is missed between two
 * looks. One run says little: V8 gives tens of megabytes of its heap back at a moment of its own choice, before the count or within it.
 */
export async function benchPackage ({ runs }) {
  if (!existsSync('/proc/self/clear_refs') || !hasTool('apt-ftparchive')) return []
  const work = mkdtempSync(join(tmpdir(), 'corelo-bench-packages-'))
  const kernels = ['6.1', '6.12'].flatMap(series =>
    labPackages(series).map(path => ({ path, release: readlinkSync(join(labFolder, 'kernels', series)) })))
  const server = await publish(work, kernels.map(({ path }) => path))
  const rows = []
  try {
    const file = join(work, 'repositories.yaml')
    const mirror = `http://127.0.0.1:${server.address().port}`
    writeFileSync(file, `repositories: [{ preset: debian, mirror: "${mirror}", suites: [bookworm], arches: [amd64], unsigned: true }]\n`)
    for (const { path, release } of kernels) {
      const measured = []
      for (let run = 0; run < runs; run++) measured.push(await measure(release, { cache: join(work, `cache-${release}-${run}`), file }))
      const beyond = measured.map(({ beyondMB }) => beyondMB)
      rows.push({
        package: basename(path).split('_')[0],
        'package MB': statSync(path).size / 1e6,
        'BTF MB': measured[0].btfMB,
        runs,
        'CPU s': median(measured.map(({ cpuSeconds }) => cpuSeconds)),
        'resident before MB': median(measured.map(({ beforeMB }) => beforeMB)),
        'beyond that MB': median(beyond),
        'at most beyond that MB': Math.max(...beyond)
      })
    }
    return rows
  } finally {
    server.closeAllConnections()
    server.close()
    rmSync(work, { recursive: true, force: true })
  }
}

async function measure (release, { cache, file }) {
  const service = await startMeasured({
    CORELO_CACHE_DIR: cache, CORELO_PACKAGES: file, CORELO_LOCAL_KERNEL: 'false', CORELO_TRUST_UPLOADS: 'false'
  })
  try {
    // A name that no index has: the index is read, and code is compiled, before the count starts.
    await ask(service, 'debian/12/x86_64/6.1.0-1-amd64')
    const before = residentBytes(service)
    writeFileSync(`/proc/${service.child.pid}/clear_refs`, '5') // from now on the peak counts
    const cpu = cpuMsOfAll(service)
    const answer = await ask(service, `debian/12/x86_64/${release}`)
    const body = Buffer.from(await answer.arrayBuffer())
    if (!answer.ok) throw new Error(`${release} was answered with ${answer.status}: ${body}`)
    return {
      btfMB: body.length / 1e6,
      cpuSeconds: (cpuMsOfAll(service) - cpu) / 1000,
      beforeMB: before / 1e6,
      beyondMB: (peakBytes(service) - before) / 1e6
    }
  } finally {
    await service.stop()
  }
}

async function ask ({ url }, kernel) {
  return await fetch(`${url}/kernels/${kernel}/btf`, { headers: { prefer: 'wait=600', connection: 'close' } })
}

/** A repository of these packages, made by apt-ftparchive. */
async function publish (work, packages) {
  const root = join(work, 'www')
  const binary = join(root, 'dists/bookworm/main/binary-amd64')
  mkdirSync(binary, { recursive: true })
  mkdirSync(join(root, 'pool'))
  for (const path of packages) symlinkSync(path, join(root, 'pool', basename(path)))
  writeFileSync(join(binary, 'Packages'), execFileSync('apt-ftparchive', ['packages', 'pool'], { cwd: root, maxBuffer: 1 << 28 }))
  writeFileSync(
    join(root, 'dists/bookworm/InRelease'),
    execFileSync('apt-ftparchive', ['-o', 'APT::FTPArchive::Release::Codename=bookworm', 'release', join(root, 'dists/bookworm')])
  )
  const server = createServer((request, response) => {
    const file = join(root, decodeURIComponent(new URL(request.url, 'http://localhost').pathname))
    if (!existsSync(file)) return response.writeHead(404).end()
    response.writeHead(200, { 'content-length': statSync(file).size })
    return createReadStream(file).pipe(response)
  })
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return server
}

function hasTool (name) {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${name}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

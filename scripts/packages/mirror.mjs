// What a mirror of Debian has, read without the service: the other side of the comparison.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every suite that a mirror may have, with the version that its kernels are called by. */
const SUITES = [
  ...['', '-security', '-updates', '-backports'].flatMap(part =>
    [['11', `bullseye${part}`], ['12', `bookworm${part}`], ['13', `trixie${part}`], ['14', `forky${part}`]]),
  ['sid', 'sid'], ['experimental', 'experimental']
]

/** Debian's mirror as apt on this machine knows it; undefined where it knows none. It is written nowhere. */
export function mirrorOfApt () {
  const folder = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list', ...existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []
  ].filter(existsSync)
  return /^\s*(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s*(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(
    files.map(file => readFileSync(file, 'utf8')).join('\n')
  )?.[1]
}

/** The suites that the mirror has, with their kernels from the oldest version to the newest. */
export async function listSuites (mirror, only, arches) {
  const suites = []
  for (const [distroVersion, suite] of SUITES) {
    if (only !== undefined && !only.includes(suite)) continue
    const base = suite.endsWith('-security') ? `${mirror}-security` : mirror
    const answer = await fetch(`${base}/dists/${suite}/InRelease`)
    if (!answer.ok) continue
    const release = await answer.text()
    const until = /^Valid-Until: (.*)$/m.exec(release)?.[1]
    const has = arches.filter(arch => /^Architectures: (.*)$/m.exec(release)?.[1]?.split(' ').includes(arch))
    const kernels = []
    for (const arch of has) kernels.push(...await kernelsOf(base, suite, arch, distroVersion))
    suites.push({ suite, arches: has, hasExpired: until !== undefined && Date.parse(until) < Date.now(), kernels })
  }
  return suites
}

async function kernelsOf (base, suite, arch, distroVersion) {
  const answer = await fetch(`${base}/dists/${suite}/main/binary-${arch}/Packages.xz`)
  if (!answer.ok) return []
  const { stdout } = spawnSync('xz', ['-dc'], { input: Buffer.from(await answer.arrayBuffer()), maxBuffer: 1024 ** 3 })
  const found = new Map()
  for (const text of stdout.toString('utf8').split('\n\n')) {
    const [, name, release, isUnsigned] = /^Package: (linux-(?:image|binary)-(\d\S*?)(-unsigned)?)$/m.exec(text) ?? []
    const field = key => new RegExp(`^${key}: (.*)$`, 'm').exec(text)?.[1]
    const bytes = Number(field('Size'))
    if (name === undefined || /-(?:dbg|dbgsym|signed-template)$/.test(name) || bytes < 100_000 ||
      (isUnsigned !== undefined && found.has(release))) continue
    found.set(release, {
      suite, arch, distroVersion, release, version: field('Version'), bytes, sha256: field('SHA256'), url: `${base}/${field('Filename')}`
    })
  }
  return [...found.values()].sort((a, b) => a.version === b.version ? 0 : isNewer(a.version, b.version) ? 1 : -1)
}

function isNewer (a, b) { return spawnSync('dpkg', ['--compare-versions', a, 'gt', b]).status === 0 }

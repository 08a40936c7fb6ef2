import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import type { ClientTls } from '../network/dispatcher.js'
import { AppError } from '../errors.js'
import { normalizeArch } from '../identity/arch.js'
import { isSegment } from '../identity/reference.js'
import { sha256 } from '../store/sha256.js'
import { PRESETS, type AptPreset, type Preset, type RpmPreset } from './presets.js'
import { isRelativePath } from './release-file.js'
import type { Repository, Signers } from './repository.js'

/** One entry of a file of repositories, as it is written. What is left out comes from the preset. */
interface Entry {
  readonly preset?: string
  readonly type?: 'apt' | 'rpm'
  readonly name?: string
  readonly distro?: string
  readonly distro_version?: string
  readonly mirror?: string
  readonly security_mirror?: string
  readonly url?: string
  readonly mirror_list?: string
  readonly snapshot?: string
  readonly launchpad?: string
  readonly suites?: readonly string[]
  readonly components?: readonly string[]
  readonly versions?: readonly string[]
  readonly arches?: readonly string[]
  readonly naming?: 'debian' | 'ubuntu'
  readonly key?: string | readonly string[]
  readonly unsigned?: boolean
  readonly history?: boolean
  readonly username?: string
  readonly password_file?: string
  readonly client_certificate?: string
  readonly client_key?: string
  readonly ca?: string
}

const TEXTS = [
  'preset', 'type', 'name', 'distro', 'distro_version', 'mirror', 'security_mirror', 'url', 'mirror_list', 'snapshot', 'launchpad',
  'naming', 'username', 'password_file', 'client_certificate', 'client_key', 'ca'
] as const
const LISTS = ['suites', 'components', 'versions', 'arches'] as const
const FLAGS = ['unsigned', 'history'] as const

/** More than all presets with all architectures have. Each is an index to keep. */
const MOST_REPOSITORIES = 1000

/**
 * The repositories that a setting names: presets by name, and YAML files with a list `repositories`.
 *
 * @throws AppError `invalid_request` that names the file, the entry and the field
 */
export function readRepositories (items: readonly string[]): Repository[] {
  const all = items.flatMap(item => {
    if (PRESETS[item] !== undefined) return expand({ preset: item }, `preset ${item}`, '.')
    if (!/[./]/.test(item)) {
      throw invalid(`CORELO_PACKAGES names ${JSON.stringify(item)}, ` +
        `which is neither a preset (${Object.keys(PRESETS).join(', ')}) nor a file.`)
    }
    return readEntries(item).flatMap((entry, i) => expand(entry, `entry ${i + 1} of ${item}`, dirname(resolve(item))))
  })
  const known = new Map<string, Repository>()
  for (const repository of all) if (!known.has(repository.id)) known.set(repository.id, repository)
  if (known.size > MOST_REPOSITORIES) {
    throw invalid(`The settings name ${known.size} indexes of package repositories; at most ${MOST_REPOSITORIES} are kept.`)
  }
  return [...known.values()]
}

function readEntries (path: string): Entry[] {
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw invalid(`The file of repositories ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const list = typeof document === 'object' && document !== null && 'repositories' in document ? document.repositories : undefined
  if (!Array.isArray(list)) throw invalid(`The file ${path} has no list "repositories".`)
  return (list as unknown[]).map((entry, i) => toEntry(entry, `entry ${i + 1} of ${path}`))
}

function toEntry (value: unknown, where: string): Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} has no fields.`)
  for (const [field, content] of Object.entries(value)) {
    const isKnown = [...TEXTS, ...LISTS, ...FLAGS, 'key'].some(known => known === field)
    if (!isKnown) throw invalid(`The field ${JSON.stringify(field)} in ${where} is unknown.`)
    const isList = Array.isArray(content) && content.every(part => typeof part === 'string' || typeof part === 'number')
    const takesList = LISTS.some(list => list === field)
    const takesFlag = FLAGS.some(flag => flag === field)
    const isText = typeof content === 'string'
    const isRight = takesList
      ? isList
      : takesFlag ? typeof content === 'boolean' : field === 'key' ? isList || isText : isText || typeof content === 'number'
    if (!isRight) {
      throw invalid(`The field ${field} in ${where} must be ${takesList ? 'a list of texts' : takesFlag ? 'true or false' : 'a text'}.`)
    }
  }
  // Every field was checked above. YAML reads 12 and 22.04 as numbers.
  return Object.fromEntries(Object.entries(value as Record<string, unknown>).map(([field, content]) => [
    field, Array.isArray(content) ? content.map(String) : typeof content === 'number' ? String(content) : content
  ]))
}

function expand (entry: Entry, where: string, folder: string): Repository[] {
  const preset = entry.preset === undefined ? undefined : PRESETS[entry.preset]
  if (entry.preset !== undefined && preset === undefined) {
    throw invalid(`The preset ${JSON.stringify(entry.preset)} in ${where} is unknown. There are ${Object.keys(PRESETS).join(', ')}.`)
  }
  const type = entry.type ?? preset?.type
  if (type === undefined || (preset !== undefined && preset.type !== type) || !['apt', 'rpm'].includes(type)) {
    throw invalid(`The type in ${where} must be apt or rpm` +
      `${preset === undefined ? '' : `, and the preset ${entry.preset} is ${preset.type}`}.`)
  }
  const repositories = preset?.type === 'rpm' && entry.url === undefined && entry.mirror_list === undefined
    ? expandRpmPreset(entry, preset, where, folder)
    : type === 'rpm'
      ? expandRpm(entry, preset, where, folder)
      : expandApt(entry, preset?.type === 'apt' ? preset : undefined, where, folder)
  if (repositories.length === 0) throw invalid(`No repository of ${where} fits its versions and architectures.`)
  return repositories
}

const APT_ARCHES: Readonly<Record<string, string>> = { x86_64: 'amd64', arm64: 'arm64', ppc64le: 'ppc64el', x86: 'i386' }
const RPM_ARCHES: Readonly<Record<string, string>> = { arm64: 'aarch64', x86: 'i686', arm: 'armv7hl' }

function expandApt (entry: Entry, preset: AptPreset | undefined, where: string, folder: string): Repository[] {
  const mirror = entry.mirror ?? entry.url ?? preset?.mirror
  const suites = entry.suites ?? preset?.suites
  if (mirror === undefined || suites === undefined) throw invalid(`An apt repository needs a mirror and suites (${where}).`)
  const current = suites.flatMap(suite => (entry.arches ?? preset?.arches ?? ['amd64']).map((arch): Repository => {
    const spelled = APT_ARCHES[normalizeArch(arch)] ?? arch
    const distro = requireName(entry.distro ?? preset?.distro, 'distro', where)
    const distroVersion = versionOf(suite, entry, preset, where)
    if (!isRelativePath(suite)) throw invalid(`The suite ${JSON.stringify(suite)} in ${where} is not a valid name.`)
    const address = aptMirror(mirror, suite, spelled, entry, preset)
    return {
      type: 'apt',
      id: idOf(entry.name ?? entry.preset ?? distro, suite, spelled, address),
      distro,
      distroVersion,
      suite,
      components: entry.components ?? preset?.components ?? ['main'],
      arch: spelled,
      naming: entry.naming ?? preset?.naming ?? (distro === 'ubuntu' ? 'ubuntu' : 'debian'),
      url: addressOf(address, entry, where, folder),
      signers: signersOf(entry, preset, where, folder),
      ...(entry.history === true ? { isHistory: true } : {}),
      ...tlsOf(entry, where, folder)
    }
  }))
  return preset === undefined ? current : [...current, ...expandPast(entry, preset, suites, where, folder)]
}

/** What the suites no longer list: where the preset's own addresses are asked, or where the entry names others. */
function expandPast (entry: Entry, preset: AptPreset, suites: readonly string[], where: string, folder: string): Repository[] {
  const { past } = preset
  if (past.type === 'debian-snapshot' && entry.launchpad !== undefined) {
    throw invalid(`The field launchpad in ${where} is for Ubuntu; Debian has snapshot.`)
  }
  const isNamed = past.type === 'launchpad' ? entry.launchpad !== undefined : entry.snapshot !== undefined
  if (entry.history === false || (entry.mirror !== undefined && !isNamed)) return []
  const address = (past.type === 'launchpad' ? entry.launchpad : entry.snapshot) ?? past.url
  const codenames = [...new Set(suites.map(suite => suite.split(/[-/]/)[0] ?? suite))]
  return codenames.flatMap(codename => (entry.arches ?? preset.arches).map((arch): Repository => {
    const spelled = APT_ARCHES[normalizeArch(arch)] ?? arch
    const common = {
      id: idOf(`${entry.name ?? entry.preset ?? preset.distro}-past`, codename, spelled, address),
      distro: entry.distro ?? preset.distro,
      distroVersion: versionOf(codename, entry, preset, where),
      arch: spelled,
      naming: preset.naming,
      url: withoutCredentials(address, where, folder),
      signers: signersOf(entry, preset, where, folder),
      isHistory: true
    }
    return past.type === 'debian-snapshot'
      ? { ...common, type: past.type, codename }
      : { ...common, type: past.type, series: codename, snapshots: withoutCredentials(entry.snapshot ?? past.snapshots, where, folder) }
  }))
}

/** User and password are for the mirror. */
function withoutCredentials (address: string, where: string, folder: string): URL { return addressOf(address, {}, where, folder) }

function versionOf (suite: string, entry: Entry, preset: AptPreset | undefined, where: string): string {
  const codename = suite.split(/[-/]/)[0] ?? suite
  return requireName(entry.distro_version ?? preset?.versions[codename] ?? codename, 'distro_version', where)
}

/** Mirrors have Debian's security archive beside the main one, under the name with `-security`. */
function aptMirror (mirror: string, suite: string, arch: string, entry: Entry, preset: AptPreset | undefined): string {
  const isSecurity = preset?.securityMirror !== undefined && /-security$/.test(suite)
  if (isSecurity) {
    return entry.security_mirror ??
      (entry.mirror === undefined ? preset.securityMirror ?? mirror : entry.mirror.replace(/(\/debian)\/?$/, '$1-security'))
  }
  if (entry.mirror === undefined && preset?.portsMirror !== undefined && !['amd64', 'i386'].includes(arch)) return preset.portsMirror
  return mirror
}

function expandRpm (entry: Entry, preset: Preset | undefined, where: string, folder: string): Repository[] {
  const address = entry.url ?? entry.mirror_list ?? entry.mirror
  if (address === undefined) throw invalid(`An rpm repository needs a url or a mirror_list (${where}).`)
  return (entry.arches ?? preset?.arches ?? ['x86_64']).map((arch): Repository => {
    const spelled = RPM_ARCHES[normalizeArch(arch)] ?? normalizeArch(arch)
    const distro = requireName(entry.distro ?? preset?.distro, 'distro', where)
    const distroVersion = requireName(entry.distro_version, 'distro_version', where)
    const own = address.replaceAll('$arch', spelled).replaceAll('$basearch', spelled).replaceAll('$releasever', distroVersion)
    return {
      type: 'rpm',
      id: idOf(entry.name ?? entry.preset ?? distro, distroVersion, spelled, own),
      distro,
      distroVersion,
      arch: spelled,
      url: addressOf(own, entry, where, folder),
      signers: signersOf(entry, preset, where, folder),
      ...(entry.mirror_list === undefined || entry.url !== undefined ? {} : { isMirrorList: true }),
      ...(entry.history === true ? { isHistory: true } : {}),
      ...tlsOf(entry, where, folder)
    }
  })
}

function expandRpmPreset (entry: Entry, preset: RpmPreset, where: string, folder: string): Repository[] {
  const versions = entry.versions ?? (entry.distro_version === undefined ? undefined : [entry.distro_version])
  const trees = preset.trees.filter(({ version, history }) => versions?.includes(version) !== false &&
    (history === undefined || (entry.history !== false && entry.mirror === undefined)))
  const asked = (entry.arches ?? preset.arches).map(arch => RPM_ARCHES[normalizeArch(arch)] ?? normalizeArch(arch))
  const places = trees.flatMap(tree => asked.filter(arch => tree.arches?.includes(arch) !== false).map(arch => ({ ...tree, arch })))
  return places.map(({ version, path, history, isMirrorList = false, arch: spelled }): Repository => {
    const address = `${(history ?? entry.mirror ?? preset.mirror).replace(/\/$/, '')}/${path.replaceAll('$arch', spelled)}`
    return {
      type: 'rpm',
      id: idOf(entry.name ?? entry.preset ?? preset.distro, version, spelled, address),
      distro: preset.distro,
      distroVersion: version,
      arch: spelled,
      url: addressOf(address, entry, where, folder),
      signers: signersOf(entry, preset, where, folder),
      ...(isMirrorList ? { isMirrorList } : {}),
      ...(history === undefined ? {} : { isHistory: true }),
      ...tlsOf(entry, where, folder)
    }
  })
}

function signersOf (entry: Entry, preset: Preset | undefined, where: string, folder: string): Signers {
  if (entry.unsigned === true) {
    if (entry.key !== undefined) throw invalid(`A repository is either unsigned or has a key (${where}).`)
    return { kind: 'nobody' }
  }
  if (entry.key !== undefined) return { kind: 'files', paths: [entry.key].flat().map(path => resolve(folder, path)) }
  if (preset !== undefined) return { kind: 'pinned', distribution: preset.distro, keys: preset.keys }
  throw invalid(`The repository needs the key that signs it: key with a file of OpenPGP public keys, or unsigned: true (${where}).`)
}

function addressOf (address: string, { username, password_file: passwordFile }: Entry, where: string, folder: string): URL {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw invalid(`${JSON.stringify(address)} in ${where} is not an http or https address.`)
  }
  const url = new URL(address)
  if (!url.pathname.endsWith('/') && !url.pathname.endsWith('.list')) url.pathname += '/'
  if (username !== undefined) url.username = encodeURIComponent(username)
  if (passwordFile !== undefined) url.password = encodeURIComponent(readText(passwordFile, 'password_file', where, folder).trim())
  return url
}

function tlsOf ({ client_certificate: cert, client_key: key, ca }: Entry, where: string, folder: string): { tls?: ClientTls } {
  if (cert === undefined && key === undefined && ca === undefined) return {}
  if ((cert === undefined) !== (key === undefined)) throw invalid(`client_certificate and client_key go together (${where}).`)
  return {
    tls: {
      ...(cert === undefined ? {} : { cert: readText(cert, 'client_certificate', where, folder) }),
      ...(key === undefined ? {} : { key: readText(key, 'client_key', where, folder) }),
      ...(ca === undefined ? {} : { ca: readText(ca, 'ca', where, folder) })
    }
  }
}

function readText (path: string, field: string, where: string, folder: string): string {
  try {
    return readFileSync(resolve(folder, path), 'utf8')
  } catch (error) {
    throw invalid(`The file ${path} of ${field} in ${where} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

/** Readable, with a part of a hash of the address behind it: two entries may differ in nothing else. */
function idOf (name: string, part: string, arch: string, address: string): string {
  const readable = `${name}-${part}-${arch}`.replace(/[^A-Za-z0-9._+~-]+/g, '-').slice(0, 100)
  return `${readable}-${sha256(address).slice('sha256:'.length, 'sha256:'.length + 8)}`
}

function requireName (name: string | undefined, field: string, where: string): string {
  if (name === undefined || !isSegment(name)) {
    throw invalid(`The field ${field} in ${where} ` +
      `${name === undefined ? 'is missing' : `cannot be part of a kernel's name: ${JSON.stringify(name)}`}.`)
  }
  return name
}

function invalid (message: string): AppError { return new AppError('invalid_request', message, { setting: 'CORELO_PACKAGES' }) }

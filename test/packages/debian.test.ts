import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { form } from '../http/harness.js'
import {
  askOracle, compareDumps, describeLab, labBtf, labGuestRelease, labObjects, NEEDS, scratchFolder
} from '../support/lab.js'
import { startListening, type ListeningService } from '../support/service.js'
import { btfIn, readArm64Kernel } from './kernels.js'

/** Debian's mirror as apt on this machine knows it; undefined where it knows none. It is written nowhere. */
function mirrorOfApt (): string | undefined {
  const folder = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list', ...existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []
  ].filter(existsSync)
  const text = files.map(file => readFileSync(file, 'utf8')).join('\n')
  return /^\s*(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s*(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(text)?.[1]
}

interface Known {
  /** `<arch>/<release>` */
  readonly name: string
  /** File of its BTF, which tools that are not ours took out of the lab's own package. */
  readonly btf: string
}

/** Those whose BTF the lab has by other means. `npm run packages -- --all` takes every one. */
const KNOWN: Readonly<Record<string, (folder: string) => Known>> = {
  'the 6.1 of bookworm': () => ofGuest('6.1'),
  'the 6.12 of its backports': () => ofGuest('6.12'),
  'the 6.1 for arm64': folder => {
    const btf = join(folder, 'arm64.btf')
    const { release, image } = readArm64Kernel()
    writeFileSync(btf, btfIn(image))
    return { name: `arm64/${release}`, btf }
  }
}

function ofGuest (series: string): Known { return { name: `x86_64/${labGuestRelease(series)}`, btf: labBtf(`debian-${series}`) } }

/** One of five objects of the lab. */
const OBJECTS = labObjects().filter((_, i) => i % 5 === 0)

describeLab("a fresh service on Debian's own repository", [
  { what: "Debian's mirror in apt's sources", isHere: () => mirrorOfApt() !== undefined }, NEEDS.oracle, NEEDS.objects, NEEDS.guest(
    '6.1'
  ), NEEDS.guest('6.12'), NEEDS.btf('debian-6.1'), NEEDS.btf('debian-6.12'), NEEDS.package('arm64')
], () => {
  const folder = scratchFolder()
  let service: ListeningService

  beforeAll(async () => {
    const file = join(folder, 'debian.yaml')
    writeFileSync(
      file,
      `repositories: [{ preset: debian, mirror: "${mirrorOfApt()}", suites: [bookworm, bookworm-security, bookworm-backports], arches: ` +
        '[amd64, arm64] }]\n'
    )
    service = await startListening({
      CORELO_PACKAGES: file, CORELO_CACHE_DIR: join(folder, 'cache'), CORELO_WORKERS: '2', CORELO_DEADLINE_MS: '300000'
    })
  })
  afterAll(() => service?.stop())

  const relocate = async (object: Buffer, kernel: string): Promise<Buffer> => {
    const response = await fetch(
      `${service.url}/relocate`, { method: 'POST', body: form({ object, kernel_release: kernel }), headers: { prefer: 'wait=300' } }
    )
    const body = Buffer.from(await response.arrayBuffer())
    expect(response.status, body.subarray(0, 500).toString()).toBe(200)
    return body
  }

  it.each(Object.entries(KNOWN))('relocates for %s as libbpf does over the BTF that other tools took out of it', async (_, knownIn) => {
    const { name, btf } = knownIn(folder)
    const served: string[] = []
    for (const object of OBJECTS) {
      const path = join(folder, `${name.replace('/', '-')}.${object.name}`)
      writeFileSync(path, await relocate(readFileSync(object.path), `debian/12/${name}`))
      served.push(path)
    }
    const answers = await askOracle([...OBJECTS.map(({ path }) => ({ object: path, btf })), ...served.map(object => ({ object }))])
    OBJECTS.forEach((object, i) => {
      const [original, ours] = [answers[i] ?? expect.fail(), answers[OBJECTS.length + i] ?? expect.fail()]
      expect([original.relocated, ours.relocated], object.name).toEqual([true, true])
      expect(compareDumps(original, ours), object.name).toEqual([])
    })
    const held = await fetch(`${service.url}/kernels/debian/12/${name}/btf`)
    expect(Buffer.from(await held.arrayBuffer()).equals(readFileSync(btf))).toBe(true)
  }, 600_000)
})

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildApp } from '../../src/http/app.js'
import { readConfig } from '../../src/http/config.js'
import { createService } from '../../src/service/service.js'
import type { Service } from '../../src/service/types.js'
import { askOracle, compareDumps, describeLab, LAB, labBtf, labObjects, labPackage, NEEDS, scratchFolder } from '../support/lab.js'
import { ARM64_RELEASE, btfIn, readFromDeb } from './kernels.js'

/** Debian's mirror as apt on this machine knows it; undefined where it knows none. It is written nowhere. */
function mirrorOfApt (): string | undefined {
  const folder = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []].filter(existsSync)
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
    writeFileSync(btf, btfIn(readFromDeb(labPackage('arm64') ?? '', `./boot/vmlinuz-${ARM64_RELEASE}`)))
    return { name: `arm64/${ARM64_RELEASE}`, btf }
  }
}

function ofGuest (series: string): Known {
  const banner = execFileSync('/bin/sh', ['-c', 'strings "$0" | grep -m1 "^Linux version"', join(LAB, 'kernels', series, 'vmlinux')]).toString()
  return { name: `x86_64/${/Linux version (\S+) \(/.exec(banner)?.[1] ?? ''}`, btf: labBtf(`debian-${series}`) }
}

/** Every so manieth object of the lab. */
const OBJECTS = labObjects().filter((_, i) => i % 5 === 0)

describeLab("a fresh service on Debian's own repository", [
  { what: "Debian's mirror in apt's sources", isHere: () => mirrorOfApt() !== undefined }, NEEDS.oracle, NEEDS.objects, NEEDS.guest('6.1'), NEEDS.guest('6.12'), NEEDS.btf('debian-6.1'), NEEDS.btf('debian-6.12'), NEEDS.package('arm64')
], () => {
  const folder = scratchFolder()
  let service: Service
  let app: FastifyInstance
  let url: string

  beforeAll(async () => {
    const file = join(folder, 'debian.yaml')
    writeFileSync(file, `repositories: [{ preset: debian, mirror: "${mirrorOfApt()}", suites: [bookworm, bookworm-security, bookworm-backports], arches: [amd64, arm64] }]\n`)
    const config = readConfig({ CORELO_PORT: '0', CORELO_BTFHUB_URL: '', CORELO_PACKAGES: file, CORELO_CACHE_DIR: join(folder, 'cache'), CORELO_LOCAL_KERNEL: 'false', CORELO_LOG_LEVEL: 'silent', CORELO_WORKERS: '2', CORELO_MAX_DELAY_MS: '0', CORELO_DEADLINE_MS: '300000' })
    service = createService(config)
    app = await buildApp(service, config)
    await app.listen({ host: config.host, port: config.port })
    url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await app?.close()
    await service?.close()
  })

  const relocate = async (object: Buffer, kernel: string): Promise<Buffer> => {
    const form = new FormData()
    form.set('object', new Blob([object]), 'object.bpf.o')
    form.set('kernel_release', kernel)
    const response = await fetch(`${url}/relocate`, { method: 'POST', body: form, headers: { prefer: 'wait=300' } })
    const body = Buffer.from(await response.arrayBuffer())
    expect(response.status, body.subarray(0, 500).toString()).toBe(200)
    return body
  }

  it.each(Object.keys(KNOWN))('relocates for %s as libbpf does over the BTF that other tools took out of it', async kernel => {
    const { name, btf } = KNOWN[kernel]?.(folder) ?? expect.fail()
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
    const held = await fetch(`${url}/kernels/debian/12/${name}/btf`)
    expect(Buffer.from(await held.arrayBuffer()).equals(readFileSync(btf))).toBe(true)
  }, 600_000)
})

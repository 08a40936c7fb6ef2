import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseReference } from '../../src/identity/reference.js'
import type { Service } from '../../src/service/types.js'
import { describeLab, labBtf, NEEDS } from '../support/lab.js'
import { sha256Of } from './kernels.js'
import { startWithRepositories } from './service.js'

/** Debian's mirror as apt on this machine knows it; undefined where it knows none. It is written nowhere. */
function mirrorOfApt (): string | undefined {
  const folder = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []].filter(existsSync)
  const text = files.map(file => readFileSync(file, 'utf8')).join('\n')
  return /^\s*(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s*(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(text)?.[1]
}

/** Those whose BTF the lab has by other means. `npm run packages -- --all` takes every one. */
const KNOWN = ['6.1', '6.12'] as const

describeLab("Debian's own repository", [{ what: "Debian's mirror in apt's sources", isHere: () => mirrorOfApt() !== undefined }, NEEDS.guest('6.1'), NEEDS.btf('debian-6.1'), NEEDS.btf('debian-6.12')], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-debian-'))
  let service: Service

  beforeAll(async () => {
    const file = join(scratch, 'debian.yaml')
    writeFileSync(file, `repositories: [{ preset: debian, mirror: "${mirrorOfApt()}", suites: [bookworm, bookworm-security, bookworm-backports], arches: [amd64] }]\n`)
    service = await startWithRepositories(file, join(scratch, 'cache'))
  })
  afterAll(async () => {
    await service?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  it.each(KNOWN)('the newest %s kernel of the lab has there the BTF that was taken out of it by other means', async series => {
    const vmlinux = join(process.env['CORELO_LAB_DIR'] ?? '.lab', 'kernels', series, 'vmlinux')
    const release = /Linux version (\S+) \(/.exec(execFileSync('/bin/sh', ['-c', 'strings "$0" | grep -m1 "^Linux version"', vmlinux]).toString())?.[1] ?? ''
    const { sha256 } = await service.getKernelBtf(parseReference(`debian/12/x86_64/${release}`), undefined, { waitMs: 600_000 })
    expect(sha256).toBe(sha256Of(readFileSync(labBtf(`debian-${series}`))))
  })
})

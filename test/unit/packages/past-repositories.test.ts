import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readRepositories } from '../../../src/packages/read-repositories.js'
import { isPast } from '../../../src/packages/repository.js'

function pastOf (entry: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-past-'))
  onTestFinished(() => { rmSync(folder, { recursive: true, force: true }) })
  const file = join(folder, 'repositories.yaml')
  writeFileSync(file, `repositories: [${entry}]\n`)
  return readRepositories([file]).filter(isPast).map(({ type, distroVersion, arch, url }) => `${type} ${distroVersion} ${arch} ${url.host}`)
}

describe('the archives of what a distribution published once', () => {
  it('are asked for each version and architecture of the preset', () => {
    expect(pastOf('{ preset: debian, suites: [bookworm, bookworm-security, trixie], arches: [amd64, arm64] }')).toEqual([
      'debian-snapshot 12 amd64 snapshot.debian.org', 'debian-snapshot 12 arm64 snapshot.debian.org',
      'debian-snapshot 13 amd64 snapshot.debian.org', 'debian-snapshot 13 arm64 snapshot.debian.org'
    ])
    expect(pastOf('{ preset: ubuntu, suites: [jammy, jammy-updates], arches: [amd64] }')).toEqual([
      'launchpad 22.04 amd64 api.launchpad.net'
    ])
  })

  it('are left out with history: false, and with a mirror of one\'s own, unless the entry names one', () => {
    expect(pastOf('{ preset: debian, suites: [bookworm], arches: [amd64], history: false }')).toEqual([])
    expect(pastOf('{ preset: debian, mirror: "http://mirror.example.org/debian", suites: [bookworm], arches: [amd64] }')).toEqual([])
    expect(
      pastOf(
        '{ preset: debian, mirror: "http://mirror.example.org/debian", suites: [bookworm], arches: [amd64], snapshot: ' +
          '"http://past.example.org" }'
      )
    ).toEqual([
      'debian-snapshot 12 amd64 past.example.org'
    ])
  })

  it('do not get the user and the password of the mirror', () => {
    const folder = mkdtempSync(join(tmpdir(), 'corelo-past-'))
    onTestFinished(() => { rmSync(folder, { recursive: true, force: true }) })
    writeFileSync(join(folder, 'password'), 'secret')
    writeFileSync(
      join(folder, 'repositories.yaml'),
      'repositories: [{ preset: debian, suites: [bookworm], arches: [amd64], username: reader, password_file: password }]\n'
    )
    const repositories = readRepositories([join(folder, 'repositories.yaml')])
    expect(repositories.map(({ type, url }) => [type, url.username, url.password])).toEqual([
      ['apt', 'reader', 'secret'], ['debian-snapshot', '', '']
    ])
  })
})

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeLab, NEEDS, PATHS, ROOT, scratchFolder } from '../support/lab.js'

const FOLDER = join(ROOT, 'deploy/examples/systemd')

describeLab('the units of systemd', [NEEDS.tool('systemd-analyze')], () => {
  const scratch = scratchFolder()

  /** What systemd says about a file: it goes on where it does not know a key. Other units of this machine are not looked at. */
  const verify = (path: string): { status: number | null, said: string[] } => {
    const { status, stdout, stderr } = spawnSync(
      'systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', path], { env: PATHS, encoding: 'utf8' }
    )
    return { status, said: `${stdout}${stderr}`.split('\n').filter(line => line.includes(path)) }
  }

  it.each(readdirSync(FOLDER))('%s is accepted without a message', name => {
    expect(verify(join(FOLDER, name))).toEqual({ status: 0, said: [] })
  })

  it('are read: an unknown key is reported', () => {
    const path = join(scratch, 'corelo.service')
    writeFileSync(path, readFileSync(join(FOLDER, 'corelo.service'), 'utf8').replace('ProtectHome=', 'ProtectHomes='))
    expect(verify(path).said).toEqual([expect.stringContaining('ProtectHomes')])
  })
})

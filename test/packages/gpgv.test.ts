import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readKeyring, verifyCleartext } from '../../src/packages/signature.js'
import { describeLab, NEEDS } from '../support/lab.js'

const TEXT = 'Origin: Example\nSuite: stable\nDate: Sat, 28 Nov 2026 02:53:00 UTC\n- a line that begins with a dash\nSHA256:\n'

/** A key of gpg, as of a date, and how to sign with it then. */
interface DatedKey {
  readonly sign: (text: string, ...options: string[]) => string
  /** Public key, as it is now. */
  readonly export: () => Buffer
  readonly renew: () => void
  readonly revoke: () => void
}

describeLab('a signature is good or bad for us as it is for gpgv', [NEEDS.tool('gpg'), NEEDS.tool('gpgv')], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'corelo-gpgv-'))
  let count = 0

  const makeDatedKey = (date: string | undefined, lifetime: string, kind = 'rsa3072'): DatedKey => {
    const home = join(scratch, `home-${++count}`)
    mkdirSync(home, { mode: 0o700 })
    const clock = date === undefined ? [] : ['--faked-system-time', date]
    const gpg = (args: readonly string[], input?: string): Buffer =>
      execFileSync(
        'gpg', ['--homedir', home, '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', ...args],
        { stdio: ['pipe', 'pipe', 'ignore'], ...(input === undefined ? {} : { input }) }
      )
    gpg([...clock, '--quick-gen-key', 'Example <example@example.org>', kind, 'sign', lifetime])
    return {
      sign: (text, ...options) => gpg([...clock, ...options, '--clearsign'], text).toString('utf8'),
      export: () => gpg(['--export']),
      renew () {
        const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg(['--with-colons', '--list-keys']).toString('utf8'))?.[1] ?? ''
        gpg(['--faked-system-time', '20200601T000000', '--quick-set-expire', fingerprint, '0'])
      },
      revoke () {
        // gpg makes the certificate with the key, and spoils it with a colon so that nobody takes it by mistake.
        const folder = join(home, 'openpgp-revocs.d')
        const [file = ''] = readdirSync(folder)
        gpg(['--import'], readFileSync(join(folder, file), 'utf8').replace(/^:(-----BEGIN)/m, '$1'))
      }
    }
  }

  let good: DatedKey
  let other: DatedKey
  beforeAll(() => {
    good = makeDatedKey(undefined, 'never')
    other = makeDatedKey(undefined, 'never')
  }, 120_000)
  afterAll(() => { rmSync(scratch, { recursive: true, force: true }) })

  /** What gpgv says, run as apt runs it: a signature by SHA-1 is none. */
  const byGpgv = (armored: string, keyring: Uint8Array): string => {
    const [ring, file] = [join(scratch, 'ring.gpg'), join(scratch, 'InRelease')]
    writeFileSync(ring, keyring)
    writeFileSync(file, armored)
    const { stdout } = spawnSync('gpgv', ['--weak-digest', 'SHA1', '--status-fd', '1', '--keyring', ring, file], { encoding: 'utf8' })
    return /^\[GNUPG:\] (GOODSIG|EXPKEYSIG|REVKEYSIG|BADSIG|ERRSIG) /m.exec(stdout)?.[1] ?? 'none'
  }
  const byUs = async (armored: string, keyring: Uint8Array): Promise<boolean> =>
    await verifyCleartext(armored, await readKeyring(keyring, 'the test')).then(() => true, () => false)

  const CASES: ReadonlyArray<readonly [string, string, boolean, () => { readonly armored: string, readonly keyring: Uint8Array }]> = [
    ['a good one', 'GOODSIG', true, () => ({ armored: good.sign(TEXT), keyring: good.export() })],
    ['a good one by an Ed25519 key', 'GOODSIG', true, () => {
      const key = makeDatedKey(undefined, 'never', 'ed25519')
      return { armored: key.sign(TEXT), keyring: key.export() }
    }],
    ['a good one by SHA-512, of keys of which the ring has others too', 'GOODSIG', true, () =>
      ({ armored: good.sign(TEXT, '--digest-algo', 'SHA512'), keyring: Buffer.concat([other.export(), good.export()]) })],
    ['one by a key that is not in the ring', 'ERRSIG', false, () => ({ armored: good.sign(TEXT), keyring: other.export() })],
    ['one under a text that was changed', 'BADSIG', false, () =>
      ({ armored: good.sign(TEXT).replace('stable', 'sid'), keyring: good.export() })],
    ['one that is cut off', 'none', false, () => {
      const armored = good.sign(TEXT)
      return { armored: armored.slice(0, armored.indexOf('BEGIN PGP SIGNATURE') + 100), keyring: good.export() }
    }],
    ['one by SHA-1', 'ERRSIG', false, () => ({ armored: good.sign(TEXT, '--digest-algo', 'SHA1'), keyring: good.export() })],
    ['a text without one', 'none', false, () => ({ armored: TEXT, keyring: good.export() })],
    ['one that is older than the end of its key', 'EXPKEYSIG', true, () => {
      const key = makeDatedKey('20200101T000000', '1y')
      return { armored: key.sign(TEXT), keyring: key.export() }
    }],
    ['one that is younger than the end of its key as the ring knows it', 'EXPKEYSIG', false, () => {
      const key = makeDatedKey('20200101T000000', '1y')
      const keyring = key.export()
      key.renew()
      return { armored: key.sign(TEXT, '--faked-system-time', '20220101T000000'), keyring }
    }],
    ['the same where the ring knows that the key was renewed', 'GOODSIG', true, () => {
      const key = makeDatedKey('20200101T000000', '1y')
      key.renew()
      return { armored: key.sign(TEXT, '--faked-system-time', '20220101T000000'), keyring: key.export() }
    }],
    ['one of a key that was revoked', 'REVKEYSIG', false, () => {
      const key = makeDatedKey(undefined, 'never')
      const armored = key.sign(TEXT)
      key.revoke()
      return { armored, keyring: key.export() }
    }]
  ]

  // EXPKEYSIG says only that the key has ended by now. What counts for us is whether it had when it signed: an archive of the past was
  // signed by keys of the past.
  it.each(CASES)('%s: gpgv says %s', async (_what, gpgv, isGood, make) => {
    const { armored, keyring } = make()
    expect({ gpgv: byGpgv(armored, keyring), isGood: await byUs(armored, keyring) }).toEqual({ gpgv, isGood })
  }, 120_000)
})

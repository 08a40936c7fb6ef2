import { describe, expect, it } from 'vitest'
import { AGENT_SETTINGS } from '../../../src/settings/agent-settings.js'
import { readNetwork } from '../../../src/settings/network-settings.js'
import { readSettings } from '../../../src/settings/read.js'
import { SERVICE_SETTINGS } from '../../../src/settings/service-settings.js'
import { refusal } from '../../support/scenario.js'

const NEEDED = { CORELO_AGENT_SERVER: 'http://corelo', CORELO_AGENT_OBJECTS: '/objects', CORELO_AGENT_OUT: '/out' }

describe('the values of settings', () => {
  it('are those of the options, then of the variables, then the defaults', () => {
    const options = new Map([['server', 'https://option'], ['once', '']])
    const env = { ...NEEDED, CORELO_AGENT_ONCE: 'false', CORELO_AGENT_POLL_MS: '50' }
    expect(readSettings(AGENT_SETTINGS, env, name => options.get(name)))
      .toMatchObject({ server: 'https://option', once: true, objects: '/objects', pollMs: 50, refreshMs: 600_000 })
  })

  it('are not there where nothing is set and there is no default', () => {
    const values = readSettings(AGENT_SETTINGS, { ...NEEDED, CORELO_AGENT_PIN: '' })
    expect([Object.hasOwn(values, 'pin'), Object.hasOwn(values, 'kernelNotes')]).toEqual([false, false])
  })

  it.each(['2147483648', '2147483648.0', '2.147483648e+09', '2147483648e0'])('take the whole number %s, as templates write it', text => {
    expect(readSettings(SERVICE_SETTINGS, { CORELO_CACHE_BYTES: text }).cacheBytes).toBe(2 ** 31)
  })

  it.each(['0x10', '1e400', '1.5', ' 5', '-1', '1e99', '9007199254740993'])('do not take %s for a number of bytes', text => {
    expect(refusal('invalid_request', () => readSettings(SERVICE_SETTINGS, { CORELO_CACHE_BYTES: text })).message)
      .toBe(`CORELO_CACHE_BYTES must be a whole number of bytes above 0, not ${JSON.stringify(text)}.`)
  })

  it('are refused under the name that was used', () => {
    const asOption = refusal('invalid_request', () =>
      readSettings(AGENT_SETTINGS, NEEDED, name => name === 'upload-btf' ? 'always' : undefined))
    expect([asOption.message, asOption.details]).toEqual([
      '--upload-btf must be auto or never, not "always".', { setting: 'CORELO_AGENT_UPLOAD_BTF' }
    ])
    const asVariable = refusal('invalid_request', () => readSettings(AGENT_SETTINGS, { ...NEEDED, CORELO_AGENT_DISTRO: 'a/b' }))
    expect(asVariable.message).toBe(
      'CORELO_AGENT_DISTRO must be a name of letters, digits and . _ + ~ -, as in a kernel reference, not "a/b".'
    )
  })

  it('pass over the variable that Kubernetes makes of a service called corelo-agent', () => {
    expect(readSettings(AGENT_SETTINGS, { ...NEEDED, CORELO_AGENT_PORT: 'tcp://10.96.0.12:8081' }).port).toBe(8081)
  })

  it('are those of the lower-case name of a proxy, where that is set', () => {
    expect(readNetwork({ HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1', NO_PROXY: 'a', no_proxy: '' }))
      .toEqual({ httpsProxy: 'http://lower:1', noProxy: 'a' })
  })
})

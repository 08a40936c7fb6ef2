import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/http/config.js'
import { AGENT_SETTINGS } from '../../src/settings/agent-settings.js'
import { LISTED } from '../../src/settings/listed-settings.js'
import { readSettings } from '../../src/settings/read.js'

const FOLDER = join(import.meta.dirname, '../../deploy/examples/systemd')

/** What a unit says under a key, each time that it does. */
function valuesOf (unit: string, key: string): string[] {
  const text = readFileSync(join(FOLDER, `${unit}.service`), 'utf8')
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}

function environmentOf (unit: string): Record<string, string> {
  return Object.fromEntries(valuesOf(unit, 'Environment').flatMap(line => line.split(' ')).map(pair => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  }))
}

/** The values of options as `--name value`. */
function optionsOf (unit: string): Map<string, string> {
  const [, , , ...args] = valuesOf(unit, 'ExecStart').join(' ').split(' ')
  return new Map(args.flatMap((argument, i) => argument.startsWith('--') ? [[argument.slice(2), args[i + 1] ?? '']] : []))
}

const listed = (settings: typeof LISTED.service): string[] => settings.map(({ env }) => env)

describe('the units of systemd', () => {
  it('are those of the service and of the agent, and run these commands', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(['corelo-agent.service', 'corelo.service'])
    expect(valuesOf('corelo', 'ExecStart')).toEqual(['/usr/bin/env corelo serve'])
    expect(valuesOf('corelo-agent', 'ExecStart')).toEqual([expect.stringMatching(/^\/usr\/bin\/env corelo agent( --[a-z-]+ [\w./-]+)+$/)])
  })

  it('give the service settings that it has, and more time to stop than it takes', () => {
    const environment = environmentOf('corelo')
    expect(Object.keys(environment).filter(name => !listed(LISTED.service).includes(name))).toEqual([])
    const { shutdownMs, auth, cacheDir } = readConfig(environment)
    expect(auth).toBe('token')
    expect(cacheDir).toBe(`/var/cache/${valuesOf('corelo', 'CacheDirectory').join()}`)
    expect(Number(valuesOf('corelo', 'TimeoutStopSec')) * 1000).toBeGreaterThan(shutdownMs)
  })

  it('give the agent settings and options that it has, and a folder that it may write', () => {
    const [environment, options] = [environmentOf('corelo-agent'), optionsOf('corelo-agent')]
    expect(Object.keys(environment).filter(name => !listed(LISTED.agent).includes(name))).toEqual([])
    expect([...options.keys()].filter(name => !LISTED.agent.some(({ option }) => option?.name === name))).toEqual([])
    expect(readSettings(AGENT_SETTINGS, environment, name => options.get(name)).out).toBe(
      `/var/lib/${valuesOf('corelo-agent', 'StateDirectory').join()}`
    )
  })
})

import { expect, it } from 'vitest'
import { readConfig } from '../../../src/http/config.js'
import { startFacts } from '../../../src/http/start-facts.js'
import { ENGINE } from '../../../src/relocation/engine.js'

it('the line of the start says version, address, who may call, sources, cache folder and key, and no password', () => {
  const config = readConfig({
    CORELO_BTFHUB_URL: 'https://user:secret@hub.example/archive/?key=secret',
    CORELO_UPSTREAM: 'http://site:secret@site.example',
    CORELO_CACHE_DIR: '/cache'
  })
  const facts = startFacts(config, 'http://127.0.0.1:8080', 'key-1')
  expect(facts).toEqual({
    version: ENGINE.version,
    address: 'http://127.0.0.1:8080',
    auth: 'none',
    cache_dir: '/cache',
    key_id: 'key-1',
    sources: ['the running kernel', 'https://hub.example/archive/', 'http://site.example/']
  })
})

it('the line of the start says what is watched and who is told, without the path, which may be a secret', () => {
  const config = readConfig({
    CORELO_BTFHUB_URL: '',
    CORELO_PACKAGES: 'debian,ubuntu',
    CORELO_WATCH: 'debian/12/x86_64/*',
    CORELO_WEBHOOK: 'https://checks.example/hooks/secret?key=secret',
    CORELO_WEBHOOK_SECRET_FILE: '/etc/secret'
  })
  expect(startFacts(config, 'http://127.0.0.1:8080', 'key-1')).toMatchObject({
    sources: ['the running kernel', 'debian', 'ubuntu'], watch: ['debian/12/x86_64/*'], webhook: 'https://checks.example'
  })
})

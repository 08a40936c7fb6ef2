import { describe, expect, it } from 'vitest'
import { readConfig } from '../../../src/http/config.js'
import { LISTED } from '../../../src/settings/listed-settings.js'
import { refusal } from '../../support/scenario.js'

const MIB = 1024 * 1024

describe('settings', () => {
  it('have the defaults of the contract', () => {
    expect(readConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      auth: 'none',
      cacheDir: 'btfhub-cache',
      cacheBytes: 20 * 1024 * MIB,
      btfhubUrls: ['https://raw.githubusercontent.com/aquasecurity/btfhub-archive/main'],
      localKernel: true,
      trustUploads: false,
      maxObjectBytes: 16 * MIB,
      maxBtfBytes: 64 * MIB,
      deadlineMs: 10_000,
      shutdownMs: 35_000,
      logLevel: 'info'
    })
  })

  it('take as many workers as there are cores, and a quarter of the memory', () => {
    const { workers, memoryBytes } = readConfig({})
    expect(workers).toBeGreaterThanOrEqual(1)
    expect(memoryBytes).toBeGreaterThan(16 * MIB)
    expect(Number.isInteger(memoryBytes)).toBe(true)
  })

  it('are read from the environment', () => {
    expect(readConfig({
      CORELO_HOST: '127.0.0.2',
      CORELO_PORT: '0',
      CORELO_CACHE_DIR: '/cache',
      CORELO_CACHE_BYTES: '2000000',
      CORELO_MEMORY_BYTES: '1000000',
      CORELO_LOCAL_KERNEL: 'false',
      CORELO_TRUST_UPLOADS: 'true',
      CORELO_MAX_OBJECT_BYTES: '1',
      CORELO_MAX_BTF_BYTES: '2',
      CORELO_WORKERS: '3',
      CORELO_DEADLINE_MS: '4',
      CORELO_SHUTDOWN_MS: '5',
      CORELO_MAX_DELAY_MS: '7',
      CORELO_LOG_LEVEL: 'warn',
      CORELO_HOST_ROOT: '/mnt',
      CORELO_BTFHUB_URL: 'https://a.example/btf, http://127.0.0.1:8000',
      CORELO_BTFHUB_DIR: '/srv/btfhub',
      CORELO_UPSTREAM: 'https://corelo.example',
      CORELO_CATALOG: 'https://a.example/btf/list.txt',
      CORELO_CATALOG_MS: '60000',
      CORELO_WATCH: 'debian/12/amd64/*, 6.1.0-*',
      CORELO_WATCH_NEWEST: '3',
      CORELO_WEBHOOK: 'https://checks.example/hooks/1',
      CORELO_WEBHOOK_SECRET_FILE: '/secret',
      CORELO_AUTH: 'jwt',
      CORELO_TOKENS_FILE: '/tokens',
      CORELO_JWKS_URL: 'https://issuer.example/jwks',
      CORELO_JWKS_TOKEN_FILE: '/token',
      CORELO_JWT_AUDIENCE: 'corelo',
      CORELO_JWT_ISSUER: 'https://issuer.example',
      CORELO_JWT_SCOPES: '*=relocate',
      CORELO_RATE_LIMIT: '6',
      CORELO_SIGNING_KEY_FILE: '/a.pem,/b.pem'
    })).toEqual({
      host: '127.0.0.2',
      port: 0,
      packages: [],
      packageDownloads: 2,
      packageModules: 'asked',
      auth: 'jwt',
      cacheDir: '/cache',
      cacheBytes: 2_000_000,
      memoryBytes: 1_000_000,
      localKernel: false,
      trustUploads: true,
      maxObjectBytes: 1,
      maxBtfBytes: 2,
      workers: 3,
      deadlineMs: 4,
      shutdownMs: 5,
      maxDelayMs: 7,
      logLevel: 'warn',
      hostRoot: '/mnt',
      btfhubUrls: ['https://a.example/btf', 'http://127.0.0.1:8000'],
      btfhubDir: '/srv/btfhub',
      upstreamUrl: 'https://corelo.example',
      catalog: 'https://a.example/btf/list.txt',
      catalogMs: 60_000,
      watch: ['debian/12/amd64/*', '6.1.0-*'],
      watchNewest: 3,
      webhookUrl: 'https://checks.example/hooks/1',
      webhookSecretFile: '/secret',
      tokensFile: '/tokens',
      jwksUrl: 'https://issuer.example/jwks',
      jwksTokenFile: '/token',
      jwtAudience: 'corelo',
      jwtIssuer: 'https://issuer.example',
      jwtScopes: '*=relocate',
      rateLimit: 6,
      signingKeyFile: '/a.pem,/b.pem',
      network: {}
    })
  })

  it('are not there when they are empty', () => {
    expect(readConfig({ CORELO_PORT: '', CORELO_HOST: '' })).toMatchObject({ host: '127.0.0.1', port: 8080 })
  })

  it('have no archive where that is empty, and the public one only where nothing is said of it', () => {
    expect(readConfig({ CORELO_BTFHUB_URL: '' }).btfhubUrls).toEqual([])
  })

  it.each([
    ['CORELO_BTFHUB_URL', 'ftp://a.example'], [
      'CORELO_BTFHUB_URL', 'https://a.example,btfhub'
    ], ['CORELO_UPSTREAM', 'corelo:8080'], ['CORELO_CATALOG', 'ftp://a.example/list'], ['CORELO_CATALOG', 'file:///list'],
    ['CORELO_PORT', 'abc'], ['CORELO_PORT', '65536'], ['CORELO_PORT', '-1'], ['CORELO_PORT', '80.5'],
    ['CORELO_WORKERS', '0'], ['CORELO_MAX_OBJECT_BYTES', '16MiB'], ['CORELO_DEADLINE_MS', '0'],
    [
      'CORELO_WATCH', 'debian/12/*'
    ], ['CORELO_WATCH', '*,debian/12/x86_64/6.1 *'], ['CORELO_WATCH_NEWEST', '0'], ['CORELO_CATALOG_MS', '999'],
    ['CORELO_LOCAL_KERNEL', 'yes'], ['CORELO_TRUST_UPLOADS', '1'], ['CORELO_LOG_LEVEL', 'loud'], ['CORELO_AUTH', 'basic']
  ])('refuse %s=%s in one line that names the variable and the value', (name, value) => {
    const error = refusal('invalid_request', () => readConfig({ [name]: value }))
    expect(error.message).toMatch(new RegExp(`^${name} must be `))
    expect(error.message.endsWith(`"${value}".`)).toBe(true)
    expect(error.message).not.toContain('\n')
    expect(error.details).toEqual({ setting: name })
  })

  it('pass over the variable that Kubernetes makes of a service called corelo', () => {
    expect(readConfig({ CORELO_PORT: 'tcp://10.96.0.12:8080' }).port).toBe(8080)
  })

  it('are listed, each with its default and its meaning', () => {
    expect(new Set(LISTED.service.map(({ env }) => env)).size).toBe(LISTED.service.length)
    expect(new Set(LISTED.agent.map(({ env }) => env)).size).toBe(LISTED.agent.length)
    for (const { env, defaultText, meaning } of [...LISTED.service, ...LISTED.agent]) {
      expect(env).toMatch(/^CORELO_[A-Z_]+$|^(?:HTTPS?|NO)_PROXY$/)
      expect(defaultText, env).not.toBe('')
      expect(meaning, env).toMatch(/\.$/)
    }
  })
})

describe('new kernels', () => {
  const listing = { CORELO_PACKAGES: 'debian' }
  const secret = { CORELO_WEBHOOK_SECRET_FILE: '/secret' }

  it.each([
    [
      'CORELO_WATCH', { CORELO_WATCH: '*' },
      /^CORELO_WATCH has nothing to watch: .* Set CORELO_PACKAGES, CORELO_CATALOG or CORELO_BTFHUB_DIR\.$/
    ],
    ['CORELO_WEBHOOK', { CORELO_WEBHOOK: 'https://checks.example', ...secret }, /^CORELO_WEBHOOK has nothing to watch/],
    [
      'CORELO_WEBHOOK_SECRET_FILE', { CORELO_WEBHOOK: 'https://checks.example', ...listing },
      /^CORELO_WEBHOOK needs CORELO_WEBHOOK_SECRET_FILE/
    ],
    [
      'CORELO_WEBHOOK', { CORELO_WEBHOOK: 'checks.example/s3cret', ...listing, ...secret },
      /^CORELO_WEBHOOK must be an http or https address without user and password\.$/
    ],
    [
      'CORELO_WEBHOOK', { CORELO_WEBHOOK: 'https://user:s3cret@checks.example', ...listing, ...secret },
      /^CORELO_WEBHOOK must be an http or https address without user and password\.$/
    ]
  ])('are not watched where %s cannot do what it says, and no secret is shown', (setting, env, message) => {
    const error = refusal('invalid_request', () => readConfig({ CORELO_BTFHUB_URL: '', ...env }))
    expect(error.message).toMatch(message)
    expect([error.message.includes('s3cret'), error.details]).toEqual([false, { setting }])
  })

  it.each([
    { CORELO_PACKAGES: 'debian' }, { CORELO_CATALOG: '/list.txt' }, { CORELO_BTFHUB_DIR: '/srv/btfhub' }
  ])('are watched where %j lists them', env => {
    expect(readConfig({ CORELO_WATCH: '*', ...env }).watch).toEqual(['*'])
  })
})

describe('the shared store', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }

  it('is a bucket and a prefix, with what tools for S3 read from the environment', () => {
    expect(readConfig({ CORELO_SHARED_STORE: 's3://fleet/corelo/v1/', ...keys }).sharedStore)
      .toEqual({ bucket: 'fleet', prefix: 'corelo/v1', region: 'us-east-1', accessKeyId: 'id', secretAccessKey: 'secret' })
    expect(readConfig({
      CORELO_SHARED_STORE: 's3://fleet',
      ...keys,
      AWS_SESSION_TOKEN: 'token',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: 'http://minio:9000',
      AWS_ENDPOINT_URL_S3: 'https://s3.example'
    }).sharedStore).toEqual({
      bucket: 'fleet',
      prefix: '',
      region: 'eu-west-1',
      endpoint: 'https://s3.example',
      accessKeyId: 'id',
      secretAccessKey: 'secret',
      sessionToken: 'token'
    })
    expect(readConfig(keys)).not.toHaveProperty('sharedStore')
  })

  it.each([
    ['CORELO_SHARED_STORE', { CORELO_SHARED_STORE: 'fleet/corelo', ...keys }],
    ['CORELO_SHARED_STORE', { CORELO_SHARED_STORE: 's3://Fleet', ...keys }],
    ['AWS_ACCESS_KEY_ID', { CORELO_SHARED_STORE: 's3://fleet' }],
    ['AWS_SECRET_ACCESS_KEY', { CORELO_SHARED_STORE: 's3://fleet', AWS_ACCESS_KEY_ID: 'id' }],
    ['AWS_ENDPOINT_URL', { CORELO_SHARED_STORE: 's3://fleet', ...keys, AWS_ENDPOINT_URL: 'minio:9000' }]
  ])('is refused with a sentence that names %s', (name, env) => {
    expect(refusal('invalid_request', () => readConfig(env)).message).toContain(name)
  })
})

describe('an address that others can reach', () => {
  it.each(['0.0.0.0', '::', '10.0.0.1', 'corelo.example'])('%s is refused while nobody decided who may call', host => {
    const error = refusal('invalid_request', () => readConfig({ CORELO_HOST: host }))
    expect(error.message).toMatch(/CORELO_AUTH .*token or jwt, or none/)
  })

  it('is served when the operator says so', () => {
    expect(readConfig({ CORELO_HOST: '0.0.0.0', CORELO_AUTH: 'none' })).toMatchObject({ host: '0.0.0.0', auth: 'none' })
  })

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('is not %s', host => {
    expect(readConfig({ CORELO_HOST: host }).host).toBe(host)
  })

  it.each(['token', 'jwt'] as const)('is served with CORELO_AUTH=%s', auth => {
    expect(readConfig({ CORELO_HOST: '0.0.0.0', CORELO_AUTH: auth })).toMatchObject({ host: '0.0.0.0', auth })
  })
})

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readPageFiles } from '../../src/http/page-files.js'
import { problemOf, startApp } from './harness.js'

const BUILT = join(import.meta.dirname, '../../dist/page')
const PLAIN = { 'accept-encoding': 'identity' }
const GZIP = { 'accept-encoding': 'gzip, br' }
const index = readFileSync(join(BUILT, 'index.html'), 'utf8')
/** Addresses that the page names, as the build wrote them. */
const named = [...index.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) => path ?? '')

describe('GET /', () => {
  it('is the page as it was built, which caches ask for again', async () => {
    const { request } = await startApp()
    const response = await request('/')
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')])
      .toEqual([200, 'text/html; charset=utf-8', 'no-cache'])
    expect(await response.text()).toBe(index)
    const etag = response.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"sha256:[0-9a-f]{64}"$/)
    const again = await request('/', { headers: { 'if-none-match': etag } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await request('/', { method: 'HEAD', headers: PLAIN })).headers.get('content-length')).toBe(String(Buffer.byteLength(index)))
  })

  it('comes compressed to those who take that, with tags of its own, so that caches mix nothing up', async () => {
    const { request } = await startApp()
    for (const path of ['', ...named]) {
      const [plain, gzip] = [await request(`/${path}`, { headers: PLAIN }), await request(`/${path}`, { headers: GZIP })]
      const tags = [plain, gzip].map(({ headers }) => headers.get('etag') ?? '')
      expect([plain, gzip].map(({ headers }) => headers.get('vary')), path).toEqual(['accept-encoding', 'accept-encoding'])
      expect([plain.headers.get('content-encoding'), gzip.headers.get('content-encoding')], path).toEqual([
        null, /svg$/.test(path) ? expect.toBeOneOf([null, 'gzip']) : 'gzip'
      ])
      expect(new Set(tags).size, path).toBe(gzip.headers.get('content-encoding') === null ? 1 : 2)
      expect(Number(gzip.headers.get('content-length')), path).toBeLessThanOrEqual(Number(plain.headers.get('content-length')))
      expect(gzip.headers.get('content-type')).toBe(plain.headers.get('content-type'))
      expect(Buffer.from(await gzip.arrayBuffer())).toEqual(Buffer.from(await plain.arrayBuffer()))
      const again = await Promise.all([[PLAIN, tags[0]], [GZIP, tags[1]], [GZIP, 'W/"other"']].map(async ([headers, tag]) =>
        (await request(`/${path}`, { headers: { ...headers as object, 'if-none-match': String(tag) } })).status))
      expect(again, path).toEqual([304, 304, 200])
    }
  })

  it('has everything from this host, no script and no style within it, and a policy that allows nothing else', async () => {
    const { request } = await startApp()
    const policy = (await request('/')).headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("require-trusted-types-for 'script'")
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:|nonce|sha256/)
    expect(index).not.toMatch(/<style|<script(?![^>]* src="\.\/assets\/)|\son\w+=|\sstyle=|(?:src|href)="(?:https?:)?\/\//)
    expect(named.length).toBe(3)
  })

  it('names its files by their content, which caches keep for ever', async () => {
    const { request } = await startApp()
    for (const path of named) {
      const response = await request(`/${path}`)
      expect([response.status, response.headers.get('cache-control')], path).toEqual([200, 'public, max-age=31536000, immutable'])
      expect(Buffer.from(await response.arrayBuffer())).toEqual(readFileSync(join(BUILT, path)))
      expect((await request(`/${path}`, { headers: { 'if-none-match': response.headers.get('etag') ?? '' } })).status).toBe(304)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    }
    expect(readdirSync(join(BUILT, 'assets')).every(name => /-[\w-]{8}\.(js|css|svg)$/.test(name))).toBe(true)
    expect(await problemOf(await request('/assets/other.js'))).toMatchObject({ status: 404, code: 'not_found' })
    expect(await problemOf(await request('/assets/..%2findex.html'))).toMatchObject({ status: 400 })
  })

  it('is not there where it was not built, which is no reason not to serve', () => {
    const empty = mkdtempSync(join(tmpdir(), 'corelo-page-'))
    onTestFinished(() => { rmSync(empty, { recursive: true }) })
    expect(readPageFiles(empty)).toBeUndefined()
  })
})

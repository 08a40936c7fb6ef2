import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { startAppWith } from '../http/harness.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'

/** Debian's package, from test/lab/packages.txt. */
const CHROMIUM = '/usr/bin/chromium'
/** A browser that asks nothing of the network but what a page asks for. */
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
/** The one that the service holds, which the page fills in. */
const KERNEL = 'debian/12/x86_64/6.1.0-13-amd64'

if (!existsSync(CHROMIUM)) console.warn(`The page that shows the API is not tested: there is no ${CHROMIUM}. As root on Debian 12: test/lab/prepare.sh --install`)

describe.skipIf(!existsSync(CHROMIUM))('the page that shows the API', () => {
  it('relocates with "Try it out" where nothing but a file is filled in', async () => {
    const { request, url } = await startAppWith(await startService(await temporaryFolder(), { trustUploads: true }))
    const stored = await request(`/kernels/${KERNEL}/btf`, { method: 'PUT', body: fooBtf(), headers: { 'content-type': 'application/octet-stream' } })
    expect(stored.status).toBe(201)
    const context = await chromium.launchPersistentContext(await temporaryFolder(), { executablePath: CHROMIUM, headless: true, args: QUIET })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${url}/docs#/relocation/relocate`)
    const operation = page.locator('#operations-relocation-relocate')
    await operation.getByRole('button', { name: 'Try it out' }).click()
    await operation.locator('input[type=file]').first().setInputFiles({ name: 'foo.bpf.o', mimeType: 'application/octet-stream', buffer: Buffer.from(fooObject()) })
    const answered = page.waitForResponse(response => response.request().method() === 'POST')
    await operation.getByRole('button', { name: 'Execute' }).click()
    const response = await answered
    expect([response.status(), response.status() === 200 ? '' : await response.text()]).toEqual([200, ''])
    expect(response.headers()['corelo-object']).toBe(sha256(fooObject()))
    await operation.locator('.live-responses-table').getByText('200', { exact: true }).first().waitFor()
  })
})

import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startAppWith } from '../http/harness.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { sha256 } from '../../src/store/sha256.js'

/** Debian's package, from test/lab/packages.txt. */
const CHROMIUM = '/usr/bin/chromium'
/** What the page shows as the example. */
const KERNEL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

describe.skipIf(!existsSync(CHROMIUM))('the page that shows the API', () => {
  it('relocates with "Try it out", a file and nothing else filled in', async () => {
    const { request, url } = await startAppWith(await startService(await temporaryFolder(), { trustUploads: true }))
    await request(`/kernels/${KERNEL}/btf`, { method: 'PUT', body: fooBtf(), headers: { 'content-type': 'application/octet-stream' } })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
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

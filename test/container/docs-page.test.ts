import { expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { startAppWith } from '../http/harness.js'
import { startChromium, WAIT_MS } from '../support/chromium.js'
import { describeLab, NEEDS } from '../support/lab.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'

/** The one that the service holds, which the page fills in. */
const KERNEL = 'debian/12/x86_64/6.1.0-13-amd64'

describeLab('the page that shows the API', [NEEDS.chromium], () => {
  it('relocates with "Try it out" where nothing but a file is filled in', async () => {
    const { request, url } = await startAppWith(await startService(await temporaryFolder(), { trustUploads: true }))
    const stored = await request(
      `/kernels/${KERNEL}/btf`, { method: 'PUT', body: fooBtf(), headers: { 'content-type': 'application/octet-stream' } }
    )
    expect(stored.status).toBe(201)
    const browser = await startChromium()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    page.setDefaultTimeout(WAIT_MS)
    await page.goto(`${url}/docs#/relocation/relocate`)
    const operation = page.locator('#operations-relocation-relocate')
    await operation.getByRole('button', { name: 'Try it out' }).click()
    await operation
      .locator('input[type=file]')
      .first()
      .setInputFiles({ name: 'foo.bpf.o', mimeType: 'application/octet-stream', buffer: Buffer.from(fooObject()) })
    const answered = page.waitForResponse(response => response.request().method() === 'POST')
    await operation.getByRole('button', { name: 'Execute' }).click()
    const response = await answered
    expect([response.status(), response.status() === 200 ? '' : await response.text()]).toEqual([200, ''])
    expect(response.headers()['corelo-object']).toBe(sha256(fooObject()))
    await operation.locator('.live-responses-table').getByText('200', { exact: true }).first().waitFor()
  })
})

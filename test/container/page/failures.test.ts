import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Service } from '../../../src/service/types.js'
import { startAppWith } from '../../http/harness.js'
import { openPage, startChromium } from '../../support/chromium.js'
import { describeLab, NEEDS } from '../../support/lab.js'
import { startFleet, UNGUARDED } from './fleet.js'

describeLab('the page, where something goes wrong', [NEEDS.chromium], () => {
  let browser: Browser
  let service: Service
  beforeAll(async () => { [browser, service] = await Promise.all([startChromium(), startFleet()]) })
  afterAll(async () => { await Promise.all([browser.close(), service.close()]) })

  /** With an object that is chosen. */
  async function lab (): Promise<Page> {
    const { url } = await startAppWith(service)
    const page = await openPage(browser, url)
    await page.locator('#files').setInputFiles(UNGUARDED)
    await page.getByRole('button', { name: 'Check 1 object on 5 kernels' }).waitFor()
    return page
  }

  it('says that there is no result, and not that an object loads, where a check is refused', async () => {
    const page = await lab()
    await page.route('**/check', async route => { await route.fulfill({ status: 503, contentType: 'text/html', body: 'Bad gateway' }) })
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await page.getByRole('heading', { name: 'There is no result', exact: true }).waitFor()
    await page.getByRole('alert').getByText('status 503').waitFor()
    expect(await page.getByRole('treegrid').count()).toBe(0)
    expect(await page.getByText('loads on').count()).toBe(0)
  })
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBatches } from '../../../src/check/cell-batches.js'
import type { CellBatch } from '../../../src/check/cells.js'
import type { CheckOutcome } from '../../../src/check/wire.js'
import type { Service } from '../../../src/service/types.js'
import { sha256 } from '../../../src/store/sha256.js'
import { form, startAppWith } from '../../http/harness.js'
import { findBarriers, openPage, startChromium } from '../../support/chromium.js'
import { describeLab, NEEDS } from '../../support/lab.js'
import { temporaryFolder } from '../../unit/service/lab.js'
import { check, checked, EXEC, openCell, startFleet, UNGUARDED } from './fleet.js'

/** CSS pixels, from the smallest telephone to a wall. */
const SCREENS = [
  { name: 'a telephone', width: 320, height: 640, colorScheme: 'light' },
  { name: 'a telephone in the dark', width: 320, height: 640, colorScheme: 'dark' },
  { name: 'a laptop', width: 1366, height: 768, colorScheme: 'light' },
  { name: 'a laptop in the dark', width: 1366, height: 768, colorScheme: 'dark' },
  { name: 'a screen of 4k', width: 3840, height: 2160, colorScheme: 'dark' }
] as const

const RANGE = { distro: 'debian', distro_version: '12', arch: 'x86_64', flavour: 'amd64', kernels: 1, places: [] }

const KERNELS = 5000
const LOADS: CheckOutcome = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 }
const FAILS: CheckOutcome = {
  ...LOADS, state: 'fails', reason: 'struct task_struct has no member state in this kernel.', failures_total: 1
}

describeLab('the page', [NEEDS.chromium], () => {
  let browser: Browser
  let service: Service
  beforeAll(async () => { [browser, service] = await Promise.all([startChromium(), startFleet()]) })
  afterAll(async () => { await Promise.all([browser.close(), service.close()]) })

  it.each(SCREENS)('can be used by all on $name, whatever is open, and nothing is cut off', async ({ width, height, colorScheme }) => {
    const { url } = await startAppWith(service)
    const page = await openPage(browser, url, { viewport: { width, height }, colorScheme })
    const look = async (): Promise<void> => {
      expect(await findBarriers(page)).toEqual([])
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
    await page.getByText('The whole fleet:').waitFor()
    await look()
    await check(page, [UNGUARDED, EXEC])
    await page.getByRole('rowheader').first().click()
    await look()
    await openCell(page, 'fails')
    await page.getByRole('group', { name: /^History/ }).first().waitFor()
    await look()
    const detail = page.locator('.detail')
    await detail.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('gridcell').nth(1).click()
    await detail.getByText(EXEC.name, { exact: true }).waitFor()
    await detail.getByRole('heading', { name: /^Relocations/ }).waitFor()
    for (const entry of await detail.locator('summary').all()) await entry.click()
    await expect.poll(async () => await detail.getByText('struct task_struct', { exact: true }).count()).toBeGreaterThan(1)
    await expect.poll(async () => await detail.getByText('Loading').count()).toBe(0)
    await look()
    // Beside the matrix where there is room, and over it where there is not.
    await expect.poll(async () => await page.getByRole('dialog').count()).toBe(width > 1600 ? 0 : 1)
  })

  it.each(SCREENS)('shows a member that moved many times whole on $name', async ({ width, height, colorScheme }) => {
    const { url } = await startAppWith(service)
    const page = await openPage(browser, url, { viewport: { width, height }, colorScheme })
    const ranges = Array.from({ length: 60 }, (_, i) => (
      { ...RANGE, first: `6.1.0-${i}-amd64`, last: `6.1.0-${i}-amd64`, state: i % 2 === 0 ? 'missing' : 'type_missing' }
    ))
    await page.route('**/types/history?*', async route => { await route.fulfill({ json: { kernels: 60, ranges, left_out: [] } }) })
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    await expect.poll(async () => await page.getByRole('list', { name: /^debian 12 x86_64/ }).getByRole('listitem').count()).toBe(60)
    const widths = '(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])(document.querySelector(".detail"))'
    const [needed = 0, there = 0] = await page.evaluate<readonly number[]>(widths)
    expect(needed).toBeLessThanOrEqual(there)
  })

  it('leaves room for the sizes of objects, and for what removes them, beside a name that is too long', async () => {
    const { url } = await startAppWith(service)
    const page = await openPage(browser, url)
    await page.locator('#files').setInputFiles([{ ...UNGUARDED, name: `${'long.'.repeat(20)}bpf.o` }, EXEC])
    const list = await page.getByRole('list').filter({ hasText: EXEC.name }).boundingBox()
    const button = await page.getByRole('button', { name: `Remove ${EXEC.name}` }).boundingBox()
    expect((button?.x ?? Infinity) + (button?.width ?? 0)).toBeLessThanOrEqual((list?.x ?? 0) + (list?.width ?? 0))
  })

  it(`shows ${KERNELS} kernels while they come, and draws only those that are seen`, async () => {
    const names = Array.from({ length: KERNELS }, (_, i) => `ubuntu/20.04/x86_64/5.4.0-${i + 1}-generic`)
    const object = { sha256: sha256(UNGUARDED.buffer), name: UNGUARDED.name, bytes: UNGUARDED.buffer }
    let goOn = (): void => {}
    const half = new Promise<void>(resolve => { goOn = resolve })
    async function * cells (): AsyncGenerator<CellBatch> {
      const batchOf = createBatches()
      for (const [i, kernel] of names.entries()) {
        if (i === KERNELS / 2) await half
        yield batchOf([{ object, kernel, outcome: i % 100 === 0 ? FAILS : LOADS }])
      }
    }
    const { url } = await startAppWith({
      ...service,
      check: async () => ({ objects: [object], kernels: KERNELS, rows: KERNELS, hasBaseline: false, cells: cells() })
    })
    const page = await openPage(browser, url)
    await page.locator('#files').setInputFiles(UNGUARDED)
    await page.getByRole('button', { name: /^Check 1 object/ }).click()
    await page.getByText('2,500 of 5', { exact: true }).waitFor()
    await page.getByRole('rowheader', { name: '25 kernels' }).waitFor()
    goOn()
    await checked(page)
    await page.getByRole('heading', { name: 'unguarded.bpf.o fails on 50 of 5,000 kernels' }).waitFor()
    await page.getByRole('radio', { name: 'By kernel' }).check()
    const grid = page.getByRole('treegrid')
    await expect.poll(async () => await grid.getAttribute('aria-rowcount')).toBe('5001')
    await page.getByRole('rowheader').first().focus()
    await page.keyboard.press('Control+End')
    await page.getByRole('rowheader', { name: '5.4.0-5000-generic' }).waitFor()
    await expect.poll(async () => await page.evaluate<string>('document.activeElement.getAttribute("role")')).toBe('gridcell')
    for (const share of [0.5, 0.2, 0.9, 0]) {
      await grid.evaluate((element, share) => { element.scrollTop = element.scrollHeight * share }, share)
      await page.getByRole('rowheader', { name: `5.4.0-${Math.max(1, Math.ceil(KERNELS * share))}-generic` }).waitFor()
      await expect.poll(async () => await page.getByRole('rowheader').count()).toBeLessThan(60)
    }
    await page.getByRole('searchbox', { name: 'Find kernels in the results' }).fill('-4321-')
    await expect.poll(async () => await page.getByRole('rowheader').allTextContents()).toEqual(['5.4.0-4321-genericubuntu 20.04 x86_64'])
  })

  it.each(SCREENS)('is a file of the check as well, which all can read on $name, and on paper', async ({ width, height, colorScheme }) => {
    const { url, request } = await startAppWith(service)
    const answer = await request('/check', {
      method: 'POST', body: form({ object: UNGUARDED.buffer, kernels: '*' }), headers: { accept: 'text/html' }
    })
    const long = `if (${'first && '.repeat(60)}last)`
    const text = (await answer.text()).replaceAll(/<pre><code>.*?<\/code>/g, `<pre><code>${long.replaceAll('&', '&amp;')}</code>`)
    const page = await openPage(browser, url, { viewport: { width, height }, colorScheme })
    await page.route('**/check.html', async route => { await route.fulfill({ contentType: 'text/html', body: text }) })
    await page.goto(`${url}/check.html`)
    expect(await findBarriers(page)).toEqual([])
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    await page.emulateMedia({ media: 'print' })
    await page.getByText('struct task_struct___new').first().waitFor()
  })

  it('asks for a token where the service does, and keeps it nowhere', async () => {
    const folder = await temporaryFolder()
    const tokensFile = join(folder, 'tokens')
    await writeFile(tokensFile, `somebody ${sha256('let-me-in')} relocate\n`)
    const { url } = await startAppWith(service, { auth: 'token', tokensFile })
    const page = await openPage(browser, url)
    const field = page.getByLabel('Token of the service')
    await page.getByRole('alert').getByText('This service answers to those who have a token.').waitFor()
    expect(await findBarriers(page)).toEqual([])
    await field.fill('something-else')
    await page.getByRole('button', { name: 'Use token' }).click()
    await page.getByText('The service does not take this token.').waitFor()
    await field.fill('let-me-in')
    await field.press('Enter')
    await page.getByText('The whole fleet: 5 kernels').waitFor()
    await field.waitFor({ state: 'detached' })
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    expect(await page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])')).toBe('[{},{},""]')
    expect(page.url()).not.toContain('let-me-in')
    await page.reload()
    await page.getByText('This service answers to those who have a token.').waitFor()
    // What the address says is shown as soon as there is a token.
    await field.fill('let-me-in')
    await field.press('Enter')
    await page.getByRole('heading', { name: /^Relocations/ }).waitFor()
  })
})

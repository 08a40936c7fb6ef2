import axe from 'axe-core'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { CHROMIUM } from './lab.js'

/** A browser that asks nothing of the network but what a page asks for. Of corelo.test, as of any host without TLS, it gives pages less. */
const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--host-resolver-rules=MAP corelo.test 127.0.0.1'
]

/** Milliseconds that are waited for one thing: less than a test has, and more than Playwright's own, which a slow machine needs. */
export const WAIT_MS = 100_000

export async function startChromium (): Promise<Browser> {
  return await chromium.launch({ executablePath: CHROMIUM, headless: true, args: QUIET })
}

/**
 * A page of a browser session of its own, closed after the test, which then fails if the page broke its own policy, threw an
 * error, or asked anybody but the origin that it is from.
 */
export async function openPage (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(WAIT_MS)
  const wrong: string[] = []
  onTestFinished(async () => {
    await context.close()
    expect(wrong).toEqual([])
  })
  const page = await context.newPage()
  page.on('pageerror', error => { wrong.push(`error: ${error.message}`) })
  page.on(
    'console', message => { if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) wrong.push(message.text()) }
  )
  const { origin } = new URL(url)
  page.on('request', request => {
    if (!request.url().startsWith(origin) && !request.url().startsWith(`blob:${origin}/`)) {
      wrong.push(`asked ${request.url()}`)
    }
  })
  await page.goto(url)
  return page
}

/** What axe-core finds, each with its place: nothing for a page that all can use. */
export async function findBarriers (page: Page): Promise<readonly string[]> {
  // Through the debugger, which the page's policy does not bind.
  await page.evaluate(axe.source)
  const found: unknown = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
      id + ': ' + help + ' at ' + target.join(' ') + ' (' + failureSummary + ')')))`)
  return found as readonly string[] // of the expression above
}

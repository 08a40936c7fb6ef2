import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { Service } from '../../../src/service/types.js'
import { sha256 } from '../../../src/store/sha256.js'
import { form, startAppWith } from '../../http/harness.js'
import { findBarriers, openPage, startChromium } from '../../support/chromium.js'
import { describeLab, NEEDS } from '../../support/lab.js'
import { checked, EXEC, startFleet, UNGUARDED, UNTYPED } from './fleet.js'

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

  it('warns of objects that load everywhere because nothing in them is relocated, once for all of them', async () => {
    const page = await lab()
    await page.locator('#files').setInputFiles([UNTYPED])
    await page.getByRole('button', { name: 'Check 2 objects on 5 kernels' }).click()
    await checked(page)
    const warnings = page.getByRole('list', { name: 'Warnings' }).getByRole('listitem')
    expect(await warnings.allTextContents()).toEqual([expect.stringMatching(/^untyped\.bpf\.o: The object has no CO-RE relocations/)])
    expect(await findBarriers(page)).toEqual([])
    const others = ['a', 'b', 'c', 'd'].map(name =>
      ({ ...UNGUARDED, name: `${name}.bpf.o`, buffer: Buffer.concat([UNTYPED.buffer, Buffer.from(name)]) }))
    await page.locator('#files').setInputFiles(others)
    await page.getByRole('button', { name: 'Check 6 objects on 5 kernels' }).click()
    await warnings.getByText('5 objects: The object has no CO-RE relocations').click()
    await warnings.getByText('untyped.bpf.o, a.bpf.o, b.bpf.o, c.bpf.o, d.bpf.o').waitFor()
    expect(await warnings.count()).toBe(1)
  })

  it('says that the service has no room, and for how long it waits, and goes on by itself', async () => {
    const page = await lab()
    let refusals = 0
    await page.route('**/check', async route => {
      if (refusals++ > 0) await route.continue()
      else await route.fulfill({ status: 429, headers: { 'retry-after': '2' }, json: { code: 'rate_limited', detail: 'Later.' } })
    })
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    const said = page.getByRole('status').getByText('The service has no room now. It is asked again after 2 seconds.')
    await said.waitFor()
    await checked(page)
    expect(await said.count()).toBe(0)
  })

  it('can be stopped beside the rows on a telephone, where the button is above what is in sight', async () => {
    const page = await lab()
    await page.setViewportSize({ width: 320, height: 640 })
    await page.route('**/check', () => {}) // no answer
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await page.getByRole('button', { name: 'Stop the check' }).click()
    await page.getByRole('heading', { name: 'Stopped before there was a result' }).waitFor()
    expect(await page.evaluate<string>('document.activeElement.id')).toBe('results')
    await page.getByRole('button', { name: 'Check 1 object' }).waitFor()
  })

  it.each([
    { how: 'in the middle of a row', ending: (socket: Ended) => { socket.end() } },
    { how: 'with its connection', ending: (socket: Ended) => { socket.destroy() } }
  ])('keeps the rows of an answer that breaks off $how, and says how many are missing', async ({ ending }) => {
    const { url, request } = await startAppWith(service)
    const answer = await request('/check', {
      method: 'POST', body: form({ object: UNGUARDED.buffer, kernels: '*' }), headers: { accept: 'application/x-ndjson' }
    })
    const [first = '', second = ''] = (await answer.text()).split('\n').filter(line => line.startsWith('{"object":'))
    const page = await openPage(browser, await proxyOf(url, response => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' })
      response.write(`${first}\n${second.slice(0, second.length / 2)}`, () => { setTimeout(ending, 100, response) })
    }))
    await page.locator('#files').setInputFiles(UNGUARDED)
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await page.getByRole('alert').getByText('The connection to the service broke off before the whole answer was there').waitFor()
    await page.getByText('Only 1 of 5 rows is there.').waitFor()
    expect(await page.getByRole('rowheader').allTextContents()).toEqual([expect.stringContaining('1 kernel')])
  })

  it('asks again for groups, and shows all rows, where they are more than one answer may have', async () => {
    const page = await lab()
    const end = { summary: null, problem: { code: 'too_large', detail: 'The answer has more than 268435456 bytes.' } }
    await page.route('**/check', async route => {
      await route.fulfill({ contentType: 'application/x-ndjson', body: `${JSON.stringify(end)}\n` })
    })
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await checked(page)
    await page.getByRole('heading', { name: 'unguarded.bpf.o fails on 2 of 5 kernels' }).waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await page.getByRole('rowheader').allTextContents())
      .toEqual([expect.stringContaining('2 kernels'), expect.stringContaining('3 kernels')])
  })

  it('names an object of a link that the service does not hold any more, and takes its file', async () => {
    const { url } = await startAppWith(service)
    const changed = { ...EXEC, buffer: Buffer.concat([EXEC.buffer, Buffer.from('never sent')]) }
    const page = await openPage(browser, `${url}/#object=${sha256(changed.buffer)} tracer.bpf.o`)
    await page.getByRole('alert').getByText('The service does not hold tracer.bpf.o any more. Choose its file under Objects').waitFor()
    await page.locator('#files').setInputFiles(changed)
    await page.getByRole('status').filter({ hasText: 'The file of tracer.bpf.o is there.' }).waitFor({ state: 'attached' })
    await page.getByRole('button', { name: 'Check 1 object on 5 kernels' }).click()
    await page.getByRole('heading', { name: /^tracer.bpf.o \w+ on .* 5 kernels$/ }).waitFor()
  })

  it('checks a new file beside an object of a link, of which only the hash is there', async () => {
    const { url, request } = await startAppWith(service)
    await request('/check', { method: 'POST', body: form({ object: UNGUARDED.buffer, kernels: '*' }) })
    const page = await openPage(browser, `${url}/#object=${sha256(UNGUARDED.buffer)} held.bpf.o`)
    await checked(page)
    await page.locator('#files').setInputFiles({ ...EXEC, buffer: Buffer.concat([EXEC.buffer, Buffer.from('never sent either')]) })
    await page.getByRole('button', { name: 'Check 2 objects on 5 kernels' }).click()
    await page.getByRole('heading', { name: / of 2 objects fails? somewhere on 5 kernels$/ }).waitFor()
  })
})

type Ended = Pick<ServerResponse, 'end' | 'destroy'>

/** The service, but for the answer of a check. */
async function proxyOf (url: string, answerCheck: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/check') {
      request.resume().once('end', () => { answerCheck(response) })
      return
    }
    fetch(new URL(request.url ?? '/', url)).then(async answer => {
      const headers = Object.fromEntries([...answer.headers].filter(([name]) => name.startsWith('content-type')))
      response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()))
    }, () => { response.destroy() })
  })
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

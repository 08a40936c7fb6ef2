import { readFile } from 'node:fs/promises'
import type { Browser, Download, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PatchSet } from '../../../page/model/patch-set.js'
import type { Service } from '../../../src/service/types.js'
import type { Report } from '../../../src/wire/report.js'
import { form, startAppWith, type Harness } from '../../http/harness.js'
import { openPage, startChromium } from '../../support/chromium.js'
import { describeLab, NEEDS } from '../../support/lab.js'
import { check, checked, EXEC, NEW, OLD, openCell, startFleet, UNGUARDED, UNTYPED } from './fleet.js'

describeLab('the page', [NEEDS.chromium], () => {
  let browser: Browser
  let service: Service
  beforeAll(async () => { [browser, service] = await Promise.all([startChromium(), startFleet()]) })
  afterAll(async () => { await Promise.all([browser.close(), service.close()]) })

  async function lab (): Promise<Harness<Service> & { readonly page: Page }> {
    const harness = await startAppWith(service)
    return { ...harness, page: await openPage(browser, harness.url) }
  }

  it('says on which kernels an object fails, and opens the reason in the words of its source', async () => {
    const { page } = await lab()
    await page.getByText('Drop an eBPF object to begin').waitFor()
    await check(page, [UNGUARDED])
    await page.getByRole('heading', { name: 'unguarded.bpf.o fails on 2 of 5 kernels' }).waitFor()
    const groups = page.getByRole('rowheader')
    await expect.poll(async () => await groups.allTextContents()).toEqual([
      '2 kernelsdebian 12 x86_64 · 6.1.0-18-amd64 to 6.1.0-20-amd64', '3 kernelsubuntu 20.04 x86_64 (2), ubuntu 20.04 arm64 (1)'
    ])
    await openCell(page, 'fails')
    const detail = page.getByRole('dialog')
    await detail.getByText('struct task_struct has no member state in this kernel. It has __state.').first().waitFor()
    await detail.getByText('unguarded.bpf.c:22').waitFor()
    await detail.getByText('The same on 1 other kernel of this check.').waitFor()
    await detail.getByText('Read __state where the kernel has that, and state where it does not:').waitFor()
    const state = detail.getByRole('row').filter({ hasText: 'read here' })
    await expect
      .poll(async () => (await state.getByRole('cell').allTextContents()).map(text => text.trim()))
      .toEqual(['+0 volatile long', '–', 'missing here'])
    await detail.getByRole('row', { name: /^__state – \+24 unsigned int only here/ }).waitFor()
    const strip = detail.getByRole('list', { name: /^debian 12 x86_64/ })
    await expect.poll(async () => await strip.getByRole('listitem').allInnerTexts())
      .toEqual([expect.stringContaining('6.1.0-18-amd64 to 6.1.0-20-amd64, 2 kernels: __state at 24')])
    await detail.getByRole('list', { name: /^ubuntu 20.04 x86_64/ }).getByText('state at 16').waitFor({ state: 'attached' })
    await detail.getByRole('table').filter({ hasText: 'on_exit' }).getByText('The verifier gets to instruction').waitFor()
  })

  it('shows what a check says in the name of its tab, and brings it into sight on a telephone', async () => {
    const { page } = await lab()
    await page.setViewportSize({ width: 320, height: 640 })
    expect(await page.title()).toBe('corelo')
    await check(page, [UNGUARDED])
    await expect.poll(async () => await page.title()).toBe('unguarded.bpf.o fails on 2 of 5 kernels – corelo')
    const top = 'document.getElementById("results-title").getBoundingClientRect().top'
    await expect.poll(async () => await page.evaluate<number>(top)).toBeLessThan(320)
  })

  it('shows a source line once for all instructions that it became, and the programs that fail before those that load', async () => {
    const { page } = await lab()
    await page.route('**/relocate', async route => {
      const answer = await route.fetch()
      const report = await answer.json() as Report
      const [relocation] = report.relocations
      const [program] = report.programs
      const [place] = relocation?.places ?? []
      if (relocation === undefined || program === undefined || place === undefined) throw new Error('The report is not as expected.')
      const places = [place, { ...place, instruction: 7 }, { ...place, program: 'on_fork', instruction: 3 }]
      const loading = Array.from({ length: 70 }, (_, i) => ({ ...program, name: `p${i}`, verdict: 'loads' as const, verdict_reason: null }))
      const relocations = [{ ...relocation, places, places_total: places.length }]
      await route.fulfill({ response: answer, json: { ...report, relocations, programs: [...loading, program] } })
    })
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    const detail = page.getByRole('dialog')
    const line = detail.getByRole('listitem').filter({ has: page.getByText('unguarded.bpf.c:22') }).last()
    await expect
      .poll(async () => await line.innerText())
      .toMatch(/in on_exit, instructions 0, 7; on_fork, instruction 3, which programs can reach$/)
    const programs = detail.getByRole('region', { name: 'Programs' }).getByRole('rowheader')
    expect([await programs.count(), await programs.first().innerText()]).toEqual([60, expect.stringContaining('on_exit')])
    await detail.getByRole('button', { name: 'Show all 71 programs' }).click()
    expect(await programs.count()).toBe(71)
  })

  it('shows the member that a reason names beside the one that is missing, in a type of hundreds', async () => {
    const { page } = await lab()
    await page.route('**/types/struct/task_struct', async route => {
      const answer = await route.fetch()
      const found = await answer.json() as { readonly types: ReadonlyArray<{ readonly members: ReadonlyArray<{ readonly name: string }> }> }
      const types = found.types.map(type => type.members.some(({ name }) => name === '__state')
        ? { ...type, members: [...type.members, ...Array.from({ length: 200 }, (_, i) => ({ ...type.members[0], name: `m${i}` }))] }
        : type)
      await route.fulfill({ response: answer, json: { ...found, types } })
    })
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    const members = page.getByRole('group', { name: 'Members of task_struct' }).getByRole('rowheader')
    await expect.poll(async () => await members.allInnerTexts()).toEqual([expect.stringContaining('state'), '__state'])
  })

  it('copies a suggestion', async () => {
    const { page } = await lab()
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    await page.getByRole('button', { name: 'Copy', exact: true }).first().click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain('struct task_struct___new { unsigned int __state; }')
  })

  it('does the same on a page without TLS, to which browsers give no hash and no clipboard', async () => {
    const { url } = await lab()
    const page = await openPage(browser, url.replace('127.0.0.1', 'corelo.test'))
    expect(await page.evaluate<boolean>('isSecureContext')).toBe(false)
    await page.locator('#files').setInputFiles([UNGUARDED, { ...UNGUARDED, name: 'again.bpf.o' }, EXEC])
    await page.getByRole('alert').getByText('again.bpf.o has the content of unguarded.bpf.o').waitFor()
    await page.getByRole('button', { name: 'Check 2 objects on 5 kernels' }).click()
    await checked(page)
    await expect.poll(() => page.url()).toContain('object=sha256:')
    await openCell(page, 'fails')
    await page.getByRole('button', { name: 'Copy', exact: true }).first().click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.getByRole('button', { name: /^Patch set of 5 kernels/ }).click()
    ])
    expect((JSON.parse((await bytesOf(download)).toString()) as PatchSet).results).toHaveLength(2)
  })

  it('takes several objects that are dropped, and says what is none', async () => {
    const { page } = await lab()
    const dropped = [
      UNGUARDED, EXEC, { ...UNGUARDED, name: 'again.bpf.o' }, { ...UNGUARDED, name: 'notes.txt', buffer: Buffer.from('no object') },
      { ...UNGUARDED, name: 'empty.bpf.o', buffer: Buffer.alloc(0) }, { ...UNGUARDED, name: 'page.html', buffer: Buffer.from('<html>') },
      { ...UNGUARDED, name: 'agent', buffer: (await readFile(process.execPath)).subarray(0, 4096) }
    ]
    const files = JSON.stringify(dropped.map(({ name, buffer }) => ({ name, base64: buffer.toString('base64') })))
    const transfer = await page.evaluateHandle(`${files}.reduce((data, { name, base64 }) => {
      data.items.add(new File([Uint8Array.from(atob(base64), character => character.charCodeAt(0))], name))
      return data
    }, new DataTransfer())`)
    // Beside the field: there the browser would leave the page for the file.
    await page.locator('.welcome').dispatchEvent('drop', { dataTransfer: transfer })
    const alert = page.getByRole('alert')
    await alert.getByText('notes.txt, page.html are no ELF files').waitFor()
    await alert.getByText('agent is a program or library, no eBPF object').waitFor()
    await alert.getByText('empty.bpf.o is empty.').waitFor()
    await alert.getByText('again.bpf.o has the content of unguarded.bpf.o').waitFor()
    await page.getByRole('button', { name: 'Check 2 objects on 5 kernels' }).click()
    await checked(page)
    await expect
      .poll(async () => await page.getByRole('columnheader').allTextContents())
      .toEqual(['Kernels', 'unguarded.bpf.o', 'exec.bpf.o'])
    await page.getByRole('button', { name: 'Remove exec.bpf.o' }).click()
    await page.getByRole('button', { name: 'Check 1 object on 5 kernels' }).waitFor()
  })

  it('chooses kernels by search, by distribution and architecture, one by one, or all', async () => {
    const { page } = await lab()
    await page.locator('#files').setInputFiles(UNGUARDED)
    const kernels = page.getByRole('listbox', { name: 'Kernels' }).getByRole('option')
    const button = async (number: string) => { await page.getByRole('button', { name: `Check 1 object on ${number}` }).waitFor() }
    await page.getByText('The whole fleet: 5 kernels').waitFor()
    await page.getByRole('button', { name: /^ubuntu 3/ }).click()
    await button('3 kernels')
    await page.getByRole('button', { name: /^arm64 1/ }).click()
    await button('1 kernel')
    await page.getByRole('button', { name: /^arm64 1/ }).click()
    await page.getByRole('searchbox', { name: 'Search kernels' }).fill('5.4.0-4*')
    await button('2 kernels')
    await page.getByRole('button', { name: 'Whole fleet' }).click()
    await button('5 kernels')
    await page.getByRole('searchbox', { name: 'Search kernels' }).fill('nothing like it')
    await page.getByText('No kernel matches.').waitFor()
    await page.getByRole('searchbox', { name: 'Search kernels' }).fill('')
    await kernels.filter({ hasText: '6.1.0-20-amd64' }).click()
    await kernels.filter({ hasText: '5.4.0-26-generic' }).click()
    await button('2 kernels')
    await page.getByRole('button', { name: 'Check 1 object on 2 kernels' }).click()
    await checked(page)
    await page.getByRole('radio', { name: 'By kernel' }).check()
    await expect
      .poll(async () => await page.getByRole('rowheader').allTextContents())
      .toEqual(['6.1.0-20-amd64debian 12 x86_64', '5.4.0-26-genericubuntu 20.04 x86_64'])
    await page.getByRole('group', { name: 'Only rows and objects with these states' }).getByRole('button', { name: /^loads 1/ }).click()
    await expect.poll(async () => await page.getByRole('rowheader').allTextContents()).toEqual(['5.4.0-26-genericubuntu 20.04 x86_64'])
  })

  it('gives the patched object, the report, a small BTF and the patches for all kernels', async () => {
    const { page, request } = await lab()
    await check(page, [UNGUARDED])
    await openCell(page, 'loads')
    const take = async (name: RegExp): Promise<{ readonly name: string, readonly bytes: Buffer }> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()])
      return { name: download.suggestedFilename(), bytes: await bytesOf(download) }
    }
    const wanted = async (path: string, kernel: string, accept = '*/*'): Promise<Buffer> => {
      const response = await request(
        path, { method: 'POST', body: form({ object: UNGUARDED.buffer, kernel_release: kernel }), headers: { accept } }
      )
      return Buffer.from(await response.arrayBuffer())
    }
    const [kernel = ''] = [OLD[2]]
    const object = await take(/^Patched object/)
    expect(object).toEqual({ name: 'unguarded.5.4.0-42-generic.bpf.o', bytes: await wanted('/relocate', kernel) })
    const report = await take(/^Report/)
    expect(report.name).toBe('unguarded.5.4.0-42-generic.report.json')
    expect(JSON.parse(report.bytes.toString())).toEqual(JSON.parse((await wanted('/relocate', kernel, 'application/json')).toString()))
    expect(await take(/^Small BTF/)).toEqual({ name: 'unguarded.5.4.0-42-generic.btf', bytes: await wanted('/min-btf', kernel) })
    const patches = await take(/^Patch set of 5 kernels/)
    const set = JSON.parse(patches.bytes.toString()) as PatchSet
    expect(set.results.map(({ kernels }) => kernels).toSorted()).toEqual([NEW, OLD.toSorted()])
    for (const result of set.results) {
      const patched = Buffer.from(UNGUARDED.buffer)
      for (const { position, length, bytes } of result.patches) expect(Buffer.from(bytes, 'hex').copy(patched, position)).toBe(length)
      for (const name of result.kernels) expect(patched.equals(await wanted('/relocate', name)), name).toBe(true)
    }
  })

  it('is closed by Escape after a download, and after a press on its text', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    const detail = page.getByRole('dialog')
    await openCell(page, 'fails')
    await page.getByRole('button', { name: 'Patched object' }).focus()
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')])
    await download.path()
    await page.getByRole('status').filter({ hasText: 'is saved' }).waitFor({ state: 'attached' })
    expect(await page.evaluate<string>('document.activeElement.textContent')).toBe('Patched object')
    await page.keyboard.press('Escape')
    await detail.waitFor({ state: 'detached' })
    await openCell(page, 'fails')
    await detail.getByText('changed instructions').click()
    await page.keyboard.press('Escape')
    await detail.waitFor({ state: 'detached' })
  })

  it('has an address that shows the same again, to somebody else as well', async () => {
    const { page, url } = await lab()
    await check(page, [UNGUARDED])
    await page.getByRole('button', { name: /^debian 2/ }).click()
    await page.getByRole('button', { name: 'Check 1 object on 2 kernels' }).click()
    await page.getByRole('heading', { name: 'fails on 2 of 2 kernels' }).waitFor()
    await page.getByRole('radio', { name: 'By kernel' }).check()
    await page.getByRole('gridcell').nth(1).click()
    await page.getByRole('heading', { name: NEW[1]?.split('/').at(-1) ?? '' }).waitFor()
    await expect.poll(() => page.url()).toContain('&open=')
    const other = await openPage(browser, page.url())
    expect(new URL(other.url()).origin).toBe(url)
    await other.getByRole('heading', { name: 'unguarded.bpf.o fails on 2 of 2 kernels' }).waitFor()
    await other.getByRole('heading', { name: '6.1.0-20-amd64' }).waitFor()
    await other.getByText('struct task_struct has no member state in this kernel.').first().waitFor()
    await expect
      .poll(async () => await other.getByRole('button', { name: /^debian 2/, includeHidden: true }).getAttribute('aria-pressed'))
      .toBe('true')
    expect(await other.getByRole('radio', { name: 'By kernel', includeHidden: true }).isChecked()).toBe(true)
  })

  it('has an address that shows the same rows again: states, what was looked for, and open groups', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    await page.getByRole('group', { name: 'Only rows and objects with these states' }).getByRole('button', { name: /^loads 3/ }).click()
    await page.getByRole('searchbox', { name: 'Find kernels in the results' }).fill('x86_64')
    const shown = [
      '2 kernelsubuntu 20.04 x86_64 · 5.4.0-26-generic to 5.4.0-42-generic', '5.4.0-26-genericubuntu 20.04 x86_64',
      '5.4.0-42-genericubuntu 20.04 x86_64'
    ]
    await expect.poll(async () => await page.getByRole('rowheader').allTextContents()).toEqual(shown.slice(0, 1))
    await page.getByRole('rowheader').click()
    await expect.poll(async () => await page.getByRole('rowheader').allTextContents()).toEqual(shown)
    await expect.poll(() => page.url()).toContain('&expanded=')
    const other = await openPage(browser, page.url())
    await checked(other)
    await expect.poll(async () => await other.getByRole('rowheader').allTextContents()).toEqual(shown)
    await other.getByRole('rowheader').first().click()
    await expect.poll(async () => await other.getByRole('rowheader').allTextContents()).toEqual(shown.slice(0, 1))
    await expect.poll(() => other.url()).not.toContain('&expanded=')
  })

  it('closes a cell when the browser goes back, with the files and the filter still there, and opens it again', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    const detail = page.getByRole('dialog')
    await openCell(page, 'fails')
    await expect.poll(() => page.url()).toContain('&open=')
    await page.goBack()
    await detail.waitFor({ state: 'detached' })
    await page.getByText('2.9 KB').waitFor() // of a file; a link has only a hash
    await page.goForward()
    await detail.getByRole('heading', { name: /^Relocations/ }).waitFor()
    await page.keyboard.press('Escape')
    await detail.waitFor({ state: 'detached' })
    await expect.poll(() => page.url()).not.toContain('&open=')
    // Closed by hand it leaves no entry behind, and what was chosen in the meantime holds.
    await page.getByRole('radio', { name: 'By kernel' }).check()
    await openCell(page, 'loads')
    await page.getByRole('button', { name: 'Close' }).click()
    await expect.poll(() => page.url()).not.toContain('&open=')
    expect(await page.getByRole('radio', { name: 'By kernel' }).isChecked()).toBe(true)
    await page.getByText('2.9 KB').waitFor()
  })

  it('shows what another link has that is entered in the same tab', async () => {
    const { page, url } = await lab()
    await check(page, [UNGUARDED])
    await expect.poll(() => page.url()).toContain('object=')
    await page.goto(`${page.url()}&kernel=${OLD[0] ?? ''}`)
    await page.getByRole('heading', { name: 'unguarded.bpf.o loads on 1 kernel' }).waitFor()
    expect(new URL(page.url()).origin).toBe(url)
  })

  it('says of a link whose kernel is gone that it is, and has the address follow the view again', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    await openCell(page, 'fails')
    await expect.poll(() => page.url()).toContain('&open=')
    const other = await openPage(browser, page.url().replace('6.1.0-18-amd64', '6.1.0-1-amd64'))
    await other.getByRole('status').getByText('The link opens debian 12 x86_64 6.1.0-1-amd64, which is not among the kernels').waitFor()
    await other.getByRole('radio', { name: 'By kernel' }).check()
    await expect.poll(() => other.url()).toMatch(/&group=kernel$/)
  })

  it('says how many rows a filter leaves, to those who do not see the matrix too', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    const said = (text: string) => page.getByRole('status').filter({ hasText: text })
    const search = page.getByRole('searchbox', { name: 'Find kernels in the results' })
    await search.fill('6.1.0-18')
    await said('1 row left.').waitFor({ state: 'attached' })
    await search.fill('nothing like it')
    await said('No row is left.').waitFor({ state: 'attached' })
  })

  it('leaves out the objects that do not fail where only what fails is wanted', async () => {
    const { page } = await lab()
    await check(page, [UNTYPED, UNGUARDED])
    const header = page.getByRole('columnheader')
    await expect.poll(async () => await header.allTextContents()).toEqual(['Kernels', 'untyped.bpf.o', 'unguarded.bpf.o'])
    await page.getByRole('button', { name: /^fails 2/ }).click()
    await expect.poll(async () => await header.allInnerTexts()).toEqual([expect.stringMatching(/^Kernels\s+1 of 2 objects$/), 'unguarded.bpf.o'])
    await openCell(page, 'fails')
    await page.getByRole('dialog').getByText('unguarded.bpf.o', { exact: true }).waitFor()
  })

  it('shows that there are more objects beside those that are seen, until the last one is', async () => {
    const { page } = await lab()
    const files = Array.from({ length: 9 }, (_, i) =>
      ({ ...UNGUARDED, name: `${i}.bpf.o`, buffer: Buffer.concat([UNGUARDED.buffer, Buffer.from([i])]) }))
    await check(page, files)
    const edge = async () =>
      await page.evaluate<string>('getComputedStyle(document.querySelector(".matrix").parentElement, "::after").content')
    await expect.poll(edge).toBe('""')
    await page.getByRole('rowheader').first().focus()
    await page.keyboard.press('End')
    await expect.poll(edge).toBe('none')
  })

  it('says why a link alone gives no patch set, and gives it once the object of the link is chosen', async () => {
    const { page } = await lab()
    await check(page, [UNGUARDED])
    await expect.poll(() => page.url()).toContain('object=sha256:')
    const other = await openPage(browser, page.url())
    await checked(other)
    await openCell(other, 'loads')
    const patchSet = other.getByRole('button', { name: /^Patch set of 5 kernels/ })
    await other.getByText('A patch set needs the object itself.').waitFor()
    expect(await patchSet.isDisabled()).toBe(true)
    await other.locator('#files').setInputFiles({ ...UNGUARDED, name: 'of another name.o' })
    await other.getByText('A patch set needs the object itself.').waitFor({ state: 'detached' })
    await other.getByRole('status').filter({ hasText: 'The file of unguarded.bpf.o is there.' }).waitFor({ state: 'attached' })
    const [download] = await Promise.all([other.waitForEvent('download'), patchSet.click()])
    const set = JSON.parse((await bytesOf(download)).toString()) as PatchSet
    expect([set.object.name, set.object.bytes, set.results.length]).toEqual(['unguarded.bpf.o', UNGUARDED.buffer.length, 2])
  })

  it('works by keyboard alone, and gives the focus back', async () => {
    const { page } = await lab()
    const focused = async (): Promise<string> => await page.evaluate<string>('document.activeElement.textContent.trim()')
    const tabUntil = async (selector: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab')
        if (await page.evaluate<boolean>(`document.activeElement.matches('${selector}')`)) return
      }
      expect.fail(`Tab does not get to ${selector}`)
    }
    await page.getByText('The whole fleet:').waitFor()
    const choosing = page.waitForEvent('filechooser', { timeout: 0 }) // the browser has to know of it before the key is pressed
    await tabUntil('#files')
    await page.keyboard.press('Enter')
    await (await choosing).setFiles(UNGUARDED)
    await page.getByRole('button', { name: 'Check 1 object' }).waitFor()
    await tabUntil('[role=option]')
    await page.keyboard.press('End')
    await page.keyboard.press('Space')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Space')
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await page.getByText('3 kernels picked').waitFor()
    await tabUntil('button.primary')
    await page.keyboard.press('Enter')
    await checked(page)
    await tabUntil('[role=rowheader]')
    expect(await focused()).toContain('1 kernel')
    await page.keyboard.press('ArrowRight') // opens the group
    await page.keyboard.press('ArrowDown')
    expect(await focused()).toContain('6.1.0-18-amd64')
    await page.keyboard.press('End')
    expect(await focused()).toContain('fails')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^Relocations/ }).waitFor()
    expect(await focused()).toContain('6.1.0-18-amd64')
    await tabUntil('.suggestion button')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await expect.poll(focused).toContain('fails')
  })

  it('tells what went wrong, and what to do', async () => {
    const { page, app } = await lab()
    await page.locator('#files').setInputFiles({ ...UNGUARDED, name: 'broken.bpf.o', buffer: UNGUARDED.buffer.subarray(0, 200) })
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await page.getByRole('alert').getByText('broken.bpf.o').waitFor()
    await app.close()
    await page.getByRole('button', { name: 'Check 1 object' }).click()
    await page.getByRole('alert').getByText('The service cannot be reached').waitFor()
  })
})

async function bytesOf (download: Download): Promise<Buffer> { return await readFile(await download.path()) }

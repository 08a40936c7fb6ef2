import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createListed, type Listed, type ListedOptions } from '../../../src/watch/listed.js'
import { temporaryFolder } from '../service/lab.js'

const nameOf = (release: string): string => `debian/12/x86_64/${release}`
const placesOf = (places: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, readonly string[]> =>
  new Map(Object.entries(places).map(([place, releases]) => [place, releases.map(release => `${nameOf(release)}.btf.tar.xz`)]))

async function load (options: ListedOptions): Promise<Listed> {
  const listed = createListed(options)
  await listed.load()
  return listed
}

async function start () {
  const path = join(await temporaryFolder(), 'watch/listed')
  const warnings: string[] = []
  const open = async (): Promise<Listed> => await load({ path, warn: message => { warnings.push(message) } })
  return { path, warnings, open, listed: await open() }
}

describe('a kernel is new', () => {
  it('where it comes to a place that was read before, once, and where others have it too', async () => {
    const { listed } = await start()
    expect(listed.sift(placesOf({ main: ['6.1.0-1'], security: [] }))).toEqual([])
    expect(listed.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'], security: ['6.1.0-2', '6.1.0-3'] }))).toEqual([
      nameOf('6.1.0-2'), nameOf('6.1.0-3')
    ])
    expect(listed.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'], security: ['6.1.0-2', '6.1.0-3'] }))).toEqual([])
  })

  it('but none of a place that is read for the first time, such as one that could not be read at the start', async () => {
    const { listed } = await start()
    expect(listed.sift(placesOf({ main: ['6.1.0-1'] }))).toEqual([])
    expect(listed.sift(placesOf({ main: ['6.1.0-1'], security: ['6.1.0-2', '6.1.0-3'] }))).toEqual([])
    expect(listed.sift(placesOf({ main: ['6.1.0-1', '6.1.0-4'], backports: ['6.1.0-4'] }))).toEqual([nameOf('6.1.0-4')])
  })

  it('not where it comes back, or moves to an archive', async () => {
    const { listed } = await start()
    listed.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'], archive: [] }))
    expect(listed.sift(placesOf({ main: ['6.1.0-2'], archive: ['6.1.0-1'] }))).toEqual([])
    expect(listed.sift(placesOf({ main: [] }))).toEqual([])
    expect(listed.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([])
  })

  it('after a restart as well, and only then', async () => {
    const { listed, open, warnings } = await start()
    listed.sift(placesOf({ main: ['6.1.0-1'] }))
    await listed.save()
    const second = await open()
    expect(second.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([nameOf('6.1.0-2')])
    // What was not saved is found again.
    const third = await open()
    expect(third.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([nameOf('6.1.0-2')])
    await third.save()
    expect((await open()).sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([])
    expect(warnings).toEqual([])
  })

  it('for a replica that starts with nothing, by what the others know, where that can be had', async () => {
    const kept: { text: string | undefined } = { text: undefined }
    const elsewhere = { read: async () => kept.text, write: (text: string) => { kept.text = text } }
    const warnings: string[] = []
    const open = async () =>
      await load({ path: join(await temporaryFolder(), 'listed'), elsewhere, warn: message => { warnings.push(message) } })
    const first = await open()
    expect(first.sift(placesOf({ main: ['6.1.0-1'] }))).toEqual([])
    await first.save()
    const second = await open()
    expect(second.sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'], other: ['6.1.0-3'] }))).toEqual([nameOf('6.1.0-2')])
    expect(warnings).toEqual([])
    kept.text = kept.text?.slice(1)
    expect((await open()).sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([])
    expect(warnings).toHaveLength(1)
  })

  it.each([
    ['cut off', (text: string) => text.slice(0, -3)],
    ['changed', (text: string) => text.replace('6.1.0-1', '6.1.0-9')],
    ['empty', () => '']
  ])('not because the file of what is known is damaged (%s): all counts as known then', async (_, damage) => {
    const { listed, open, path, warnings } = await start()
    listed.sift(placesOf({ main: ['6.1.0-1'] }))
    await listed.save()
    await writeFile(path, damage(await readFile(path, 'utf8')))
    expect((await open()).sift(placesOf({ main: ['6.1.0-1', '6.1.0-2'] }))).toEqual([])
    expect(warnings).toEqual(['What was known of new kernels is damaged; what is listed now counts as known.'])
  })
})

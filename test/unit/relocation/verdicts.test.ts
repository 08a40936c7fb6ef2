import { describe, expect, it } from 'vitest'
import { guardedObject } from '../../support/corpus.js'
import type { RelocateRequest } from '../../../src/relocation/types.js'
import { emptyBtf, failure, fooBtf, put, relocate, startService, temporaryFolder, UBUNTU } from '../service/lab.js'

const OLD = '5.4.0-42-generic'
const NEW = '6.8.0-31-generic'

/** A service with two kernels that have one BTF, in which `foo` is missing. */
async function twoReleases () {
  const service = await startService(await temporaryFolder())
  for (const release of [OLD, NEW]) await put(service, emptyBtf(), { release })
  return {
    service,
    ask: (by: Parameters<typeof guardedObject>[0], request: Partial<RelocateRequest>) =>
      relocate(service, { object: guardedObject(by), ...request })
  }
}

const on = (release: string) => ({ kernel: { ...UBUNTU, release } })

describe('the verdict about one object and one BTF', () => {
  it('is another for another release, where the program asks for it, also from memory', async () => {
    const { ask } = await twoReleases()
    for (const cached of [false, true]) {
      expect(await ask('version', on(OLD))).toMatchObject({ verdict: 'fails', cached, counts: { poisoned: 1 } })
      expect(await ask('version', on(NEW))).toMatchObject({ verdict: 'loads', cached, assumes: ['LINUX_KERNEL_VERSION = 6.8'] })
    }
  })

  it('is unknown where only the content of the BTF is named, which says of no release', async () => {
    const { ask } = await twoReleases()
    const { btfSha256 } = await ask('version', on(OLD))
    expect(await ask('version', { btfSha256 })).toMatchObject({ verdict: 'unknown' })
    expect(await ask('version', { btf: [emptyBtf()] })).toMatchObject({ verdict: 'unknown' })
    expect(await ask('version', { btfSha256, ...on(NEW) })).toMatchObject({ verdict: 'loads' })
  })

  it('is unknown for content that one kernel only is known to have, as it is for anybody else', async () => {
    const service = await startService(await temporaryFolder())
    const { entry: { btfSha256 } } = await put(service, emptyBtf(), { release: NEW })
    expect(await relocate(service, { object: guardedObject('version'), btfSha256 })).toMatchObject({ verdict: 'unknown' })
  })

  it('is another where other values are assumed, also from memory', async () => {
    const { ask } = await twoReleases()
    for (const cached of [false, true]) {
      expect(await ask('setting', on(NEW))).toMatchObject({ verdict: 'loads', cached, assumes: ['.rodata.enabled = 0'] })
      expect(await ask('setting', { ...on(NEW), assume: new Map([['enabled', 1n]]) })).toMatchObject({
        verdict: 'fails', cached, assumes: ['.rodata.enabled = 1']
      })
      expect(await ask('setting', { ...on(NEW), assume: new Map([['enabled', 0n]]) })).toMatchObject({ verdict: 'loads', cached })
    }
  })

  it('answers from memory who wants a failure for what is unresolved, where the object loads and nothing is to be explained', async () => {
    const { ask } = await twoReleases()
    expect(await ask('setting', on(NEW))).toMatchObject({ verdict: 'loads', cached: false })
    expect(await ask('setting', { ...on(NEW), onUnresolved: 'fail' })).toMatchObject({ verdict: 'loads', cached: true })
  })

  it('is refused for a name that the object does not have, also where a result is held already', async () => {
    const { service, ask } = await twoReleases()
    await put(service, fooBtf(), { release: '6.9.0' })
    for (const kernel of [on('6.9.0'), on(NEW)]) {
      await ask('setting', kernel)
      const error = await failure('invalid_request', ask('setting', { ...kernel, assume: new Map([['enabeld', 1n]]) }))
      expect(error.message).toContain('it has enabled')
    }
  })
})

describe('an object that is to be refused where something is unresolved', () => {
  const fail = { onUnresolved: 'fail' } as const

  it('is answered where the poisoned instruction cannot be reached', async () => {
    const { ask } = await twoReleases()
    expect(await ask('version', { ...on(NEW), ...fail })).toMatchObject({ verdict: 'loads', counts: { poisoned: 1 } })
    expect(await ask('setting', { ...on(NEW), ...fail })).toMatchObject({ verdict: 'loads', counts: { poisoned: 1 } })
  })

  it('is refused where it can, by the release and by what is assumed', async () => {
    const { ask } = await twoReleases()
    const error = await failure('unresolved_reachable', ask('version', { ...on(OLD), ...fail }))
    expect(error.message).toContain('instruction 4')
    expect(error.message).not.toContain('not known')
    await failure('unresolved_reachable', ask('setting', { ...on(NEW), ...fail, assume: new Map([['enabled', 1n]]) }))
  })

  it('is refused where that is not known, which the message says', async () => {
    const { ask } = await twoReleases()
    const error = await failure('unresolved_reachable', ask('version', { btf: [emptyBtf()], ...fail }))
    expect(error.message).toContain('not known, which counts as reachable')
  })

  it('is refused and answered the same where the results are held', async () => {
    const { ask } = await twoReleases()
    for (const release of [OLD, NEW]) await ask('version', on(release))
    await failure('unresolved_reachable', ask('version', { ...on(OLD), ...fail }))
    expect(await ask('version', { ...on(NEW), ...fail })).toMatchObject({ verdict: 'loads' })
  })
})

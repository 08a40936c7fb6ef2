import { expect, it } from 'vitest'
import { createResolvedKernels, expandKernels } from '../../../src/check/expand-kernels.js'
import { createStateOutcomes } from '../../../src/check/state-outcomes.js'
import { createIndexRows } from '../../../src/kernels/index-rows.js'
import { recordKey } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/store/sha256.js'
import { recordOf } from '../kernels/records.js'

it('a name that was looked up is looked up again once the index has other rows, and not before', async () => {
  const rows = createIndexRows()
  let lookUps = 0
  const index = {
    ...rows,
    byRelease (release: string) {
      lookUps++
      return rows.byRelease(release)
    }
  }
  const resolved = createResolvedKernels()
  const contents = async () => {
    const expanded = await expandKernels(['*'], {
      index,
      resolved,
      trustUploads: true,
      maxKernels: 10,
      outcomeOf: createStateOutcomes(),
      hasSources: false,
      signal: new AbortController().signal
    })
    return expanded.map(({ kernel }) => 'content' in kernel ? kernel.content.btf : kernel.outcome.state)
  }
  const first = recordOf('5.4.0-42-generic')
  const second = { ...first, btfSha256: sha256('another') }
  rows.set(first)

  expect(await contents()).toEqual([first.btfSha256])
  const once = lookUps
  rows.renew({ ...first, lastUsed: '2026-02-02T00:00:00.000Z' })
  expect(await contents()).toEqual([first.btfSha256])
  expect(lookUps).toBe(once)

  rows.set(second)
  expect(await contents()).toEqual(['error'])
  rows.delete(recordKey(first))
  expect(await contents()).toEqual([second.btfSha256])
})

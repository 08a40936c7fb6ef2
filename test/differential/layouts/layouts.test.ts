import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import type { Btf } from '../../../src/btf/btf.js'
import { parseRawBtf } from '../../../src/btf/parse.js'
import { parseObject, type BpfObject } from '../../../src/core/index.js'
import { buildLayoutTable, demandsOf, layoutVector, readLayoutTable } from '../../../src/layout/index.js'
import { sha256 } from '../../../src/store/sha256.js'
import { describeLab, labBtfs, labObjects, NEEDS } from '../../support/lab.js'
import { CONTENT, FORMAT } from '../../support/layout-format.js'
import { fullOutcome } from '../../support/layout-outcome.js'
import { random } from '../random/random.js'
import { relayKernel } from './relay-kernel.js'

// CORELO_LAYOUT_KERNELS makes the run longer, CORELO_SEED makes other kernels.
const KERNELS = Number(process.env['CORELO_LAYOUT_KERNELS'] ?? 28)
const SEED = Number(process.env['CORELO_SEED'] ?? 1)

interface Compared {
  readonly name: string
  readonly object: BpfObject
  /** The outcome on the first kernel with a vector, by the vector. */
  readonly outcomes: Map<string, { readonly hash: string, readonly kernel: string }>
}

describeLab('real objects, real kernels and kernels that were laid out anew,', [NEEDS.objects], () => {
  const counts = { pairs: 0, shared: 0, alone: 0, vectors: 0, outcomes: 0 }
  const objects: Compared[] = labObjects().map(({ name, path }) =>
    ({ name, object: parseObject(new Uint8Array(readFileSync(path))), outcomes: new Map() }))
  const hashes = new Set<string>()
  const wrong: string[] = []

  const compare = (kernel: string, btf: Btf): void => {
    const table = readLayoutTable(buildLayoutTable(btf, CONTENT, FORMAT), CONTENT, FORMAT)
    for (const { name, object, outcomes } of objects) {
      counts.pairs++
      const demands = demandsOf(object)
      const vector = table === undefined || demands === undefined ? undefined : layoutVector(demands, [table], FORMAT)
      const { text, isShared } = fullOutcome(object, btf)
      const hash = sha256(text) // the texts of 100,000 pairs would be gigabytes
      hashes.add(`${name} ${hash}`)
      if (vector === undefined || !isShared) counts.alone++
      if (vector === undefined) continue
      const first = outcomes.get(vector)
      if (first === undefined) {
        if (isShared) outcomes.set(vector, { hash, kernel })
        continue
      }
      counts.shared++
      if (!isShared || first.hash !== hash) wrong.push(`${name} on ${kernel}, otherwise than on ${first.kernel}: ${text}`)
    }
  }

  it(`have one outcome for each layout vector, on ${KERNELS} kernels`, { timeout: 60_000 + KERNELS * 60_000 }, () => {
    const wanted = new Set(objects.flatMap(({ object }) => (demandsOf(object) ?? [])
      .map(({ bytes, offset, length }) => new TextDecoder().decode(bytes.slice(offset, offset + length)))))
    const real = labBtfs().map(({ name, path }) => ({ name, bytes: new Uint8Array(readFileSync(path)) }))
    for (const { name, bytes } of real) compare(name, parseRawBtf(bytes))
    for (let i = real.length; i < KERNELS; i++) {
      const from = real[i % real.length]
      if (from === undefined) break
      const bytes = relayKernel(from.bytes, random(SEED * 1_000_003 + i), name => wanted.has(name))
      try {
        compare(`${from.name} changed by ${i}`, parseRawBtf(bytes))
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'btf_invalid') throw error
      }
    }
    counts.vectors = objects.reduce((sum, { outcomes }) => sum + outcomes.size, 0)
    counts.outcomes = hashes.size
    console.log(`layouts: ${JSON.stringify(counts)}`)
    expect(wrong.slice(0, 5)).toEqual([])
  })

  it('share most outcomes, and are told apart where outcomes differ', () => {
    expect(counts.shared).toBeGreaterThan(counts.pairs / 4)
    expect(counts.outcomes).toBeGreaterThan(2 * objects.length)
  })
})

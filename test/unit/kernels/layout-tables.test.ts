import { expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import { createLayoutTables, vectorsAtOnce, type LayoutTablesOptions } from '../../../src/kernels/layout-tables.js'
import { sha256 } from '../../../src/store/sha256.js'
import { createFairShare } from '../../../src/workers/fair-share.js'
import { NO_TABLE, type LayoutSource, type LayoutVectorsTask } from '../../../src/workers/protocol.js'

const object = { object: new Uint8Array(), objectSha256: sha256('object') }
const hashes = (name: string, count: number) => Array.from({ length: count }, (_, i) => sha256(`${name} ${i}`))
const glance: LayoutTablesOptions['glance'] = hash => ({ paths: [hash], sha256: hash })
const asking = (caller: string, signal = new AbortController().signal) => ({ caller, signal })

/** Tables whose tasks are told by the hash of their first kernel, and answered by `answer`; those of some kernels are missing. */
function setUp (answer: (task: LayoutVectorsTask) => number, options: Partial<LayoutTablesOptions> = {}, missing: readonly string[] = []) {
  const asked: string[] = []
  const run = async (task: LayoutVectorsTask) => {
    asked.push(task.sources[0]?.sha256 ?? '')
    const read = answer(task)
    const isThere = ({ sha256, btf }: LayoutSource) => btf !== undefined || !missing.includes(sha256)
    const places = Int32Array.from(task.sources.slice(0, read), source => isThere(source) ? 0 : NO_TABLE)
    return { read, vectors: ['alike'], places, made: [] }
  }
  const tables = createLayoutTables({
    store: { pathOf: (_kind, hash) => hash, write: async () => true, noteUse: () => {} },
    pool: { run: run as LayoutTablesOptions['pool']['run'] },
    threads: 1,
    ...options
  })
  return { asked, tables }
}

it('callers take turns: one who asks for few kernels does not wait for all of another', async () => {
  const { run } = createFairShare({ running: 1, allRunning: 1, waiting: Infinity, allWaiting: Infinity })
  const { asked, tables } = setUp(({ sources }) => sources.length, { inTurn: run })
  const many = hashes('many', 5 * vectorsAtOnce(1))
  const [few = sha256('')] = hashes('few', 1)
  await Promise.all([tables.vectors([object], many, asking('one')), tables.vectors([object], [few], asking('another'))])
  expect(asked.indexOf(few)).toBe(1)
  expect(asked).toHaveLength(6)
})

it('kernels that a task did not come to are asked for again', async () => {
  const { asked, tables } = setUp(() => 2)
  const [first = sha256(''), , third = sha256(''), , fifth = sha256('')] = hashes('kernel', 6)
  expect(await tables.vectors([object], hashes('kernel', 6), asking('one'))).toEqual({ vectors: ['alike'], places: new Int32Array(6) })
  expect(asked).toEqual([first, third, fifth])
})

it('a table that is missing is made, and where BTF is goes only to the thread that makes one', async () => {
  const [, second = ''] = hashes('kernel', 3)
  const given: string[] = []
  const { asked, tables } = setUp(({ sources }) => {
    for (const { sha256, btf } of sources) if (btf !== undefined) given.push(sha256)
    return sources.length
  }, { glance }, [second])
  expect(await tables.vectors([object], hashes('kernel', 3), asking('one'))).toEqual({ vectors: ['alike'], places: new Int32Array(3) })
  expect(given).toEqual([second])
  expect(asked).toHaveLength(2)
})

it('a table over which a thread dies is not made, and the kernels are compared by those that are there', async () => {
  const [, second = ''] = hashes('kernel', 3)
  const { asked, tables } = setUp(({ sources }) => {
    if (sources.some(({ btf }) => btf !== undefined)) throw new AppError('internal_error', 'A worker died.')
    return sources.length
  }, { glance }, [second])
  expect(await tables.vectors([object], hashes('kernel', 3), asking('one')))
    .toEqual({ vectors: ['alike'], places: Int32Array.of(0, NO_TABLE, 0) })
  expect(asked).toHaveLength(2)
})

it('no table is read after the signal', async () => {
  const leaving = new AbortController()
  const { asked, tables } = setUp(({ sources }) => {
    leaving.abort(new Error('gone'))
    return sources.length
  })
  await expect(tables.vectors([object], hashes('kernel', 3 * vectorsAtOnce(1)), asking('one', leaving.signal))).rejects.toThrow('gone')
  expect(asked).toHaveLength(1)
})

it('a table whose turn has come is made before the end, and none of those behind it', async () => {
  const { asked, tables } = setUp(({ sources }) => sources.length, { glance, isBusy: () => true })
  const [first = sha256(''), ...others] = hashes('kernel', 3)
  tables.prepare(first)
  for (const other of others) tables.prepare(other)
  await tables.close()
  expect(asked).toEqual([first])
})

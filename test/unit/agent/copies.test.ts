import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createCopies, type Copies, type Copy } from '../../../src/agent/copies.js'
import type { NodeKernel } from '../../../src/agent/node.js'
import { hexOf, sha256 } from '../../../src/store/sha256.js'

const kernel = (release: string): NodeKernel => ({
  name: `d/1/x86_64/${release}`,
  reference: { distro: 'd', distroVersion: '1', arch: 'x86_64', release },
  problem: undefined,
  note: undefined,
  query: { release, kernelVersion: '#1' },
  kernelVersion: '#1',
  btf: undefined,
  modules: [],
  modulesStamp: '',
  key: hexOf(sha256(release))
})

function copy (text: string): Copy {
  const bytes = Buffer.from(text)
  const hash = sha256(bytes)
  return {
    bytes,
    report: `{"of":"${text}"}`,
    attestation: `signed ${text}`,
    record: {
      objectSha256: hash, resultSha256: hash, btfSha256: hash, kernel: 'd/1/x86_64/one', tag: '"t"', at: '2026-01-01T00:00:00.000Z'
    }
  }
}

describe('the copies of a node', () => {
  let folder: string
  let copies: Copies
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'corelo-copies-'))
    copies = createCopies(folder)
    const made = folder
    onTestFinished(() => { rmSync(made, { recursive: true, force: true }) })
  })
  const keptIn = (release: string): string[] => readdirSync(join(folder, '.corelo', kernel(release).key)).sort()

  it('gives back what was kept, and puts it out', async () => {
    await copies.keep(kernel('one'), 'a', copy('first'))
    expect(await copies.find(kernel('one'), 'a')).toEqual(copy('first'))
    expect(readFileSync(join(folder, 'a.bpf.o'), 'utf8')).toBe('first')
    expect(readFileSync(join(folder, 'a.report.json'), 'utf8')).toBe('{"of":"first"}')
    expect(await copies.find(kernel('two'), 'a')).toBeUndefined()
    expect(await copies.find(kernel('one'), 'b')).toBeUndefined()
  })

  it('has the copy of before when it was stopped while it kept the next one', async () => {
    await copies.keep(kernel('one'), 'a', copy('first'))
    const next = join(folder, '.corelo', kernel('one').key, `a@${hexOf(sha256('second'))}`)
    writeFileSync(`${next}.report.json`, '{}')
    writeFileSync(`${next}.bpf.o`, 'second')
    expect(await copies.find(kernel('one'), 'a')).toEqual(copy('first'))
    await copies.keep(kernel('one'), 'a', copy('third'))
    expect(await copies.find(kernel('one'), 'a')).toEqual(copy('third'))
    const third = hexOf(sha256('third'))
    expect(keptIn('one')).toEqual(['a.json', `a@${third}.bpf.o`, `a@${third}.report.json`])
  })

  it('tells names apart of which one begins with the other', async () => {
    await copies.keep(kernel('one'), 'a.b', copy('long'))
    await copies.keep(kernel('one'), 'a', copy('short'))
    expect(await copies.find(kernel('one'), 'a.b')).toEqual(copy('long'))
  })

  it('takes away what is for another kernel, and nothing else', async () => {
    await copies.keep(kernel('one'), 'a', copy('of one'))
    await copies.keep(kernel('two'), 'b', copy('of two'))
    writeFileSync(join(folder, 'notes.txt'), 'of somebody else')
    expect(await copies.withdrawOthers(kernel('two'), ['a', 'b'])).toEqual(['a'])
    expect(readdirSync(folder).sort()).toEqual(['.corelo', 'b.bpf.o', 'b.report.json', 'notes.txt'])
    expect(await copies.find(kernel('one'), 'a')).toEqual(copy('of one'))
  })

  it('keeps those of three kernels', async () => {
    for (const release of ['one', 'two', 'three', 'four']) {
      await copies.keep(kernel(release), 'a', copy(`of ${release}`))
      await copies.withdrawOthers(kernel(release), ['a'])
    }
    expect(readdirSync(join(folder, '.corelo'))).toHaveLength(3)
    expect(existsSync(join(folder, '.corelo', kernel('four').key))).toBe(true)
  })

  it.each(['', '{', '{}', '{"objectSha256":"x"}', 'null'])('has none where its record is %j', async text => {
    await copies.keep(kernel('one'), 'a', copy('first'))
    writeFileSync(join(folder, '.corelo', kernel('one').key, 'a.json'), text)
    expect(await copies.find(kernel('one'), 'a')).toBeUndefined()
  })
})

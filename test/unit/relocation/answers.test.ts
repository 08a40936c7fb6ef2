import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/store/sha256.js'
import { createAnswers, type Outcome, type Question } from '../../../src/relocation/answers.js'
import type { Attestations } from '../../../src/relocation/attestations.js'
import type { Target } from '../../../src/relocation/targets.js'

const OBJECT = sha256('object')
const RECORD = { reference: {} } as Target['records'][number]

function createLab () {
  let keyId = 'first'
  const attestations: Attestations = {
    of: (_result, { kernel }) => `${keyId} signs ${kernel ?? 'nothing'}`,
    keyId: () => keyId,
    jwks: { keys: [] }
  }
  return { answers: createAnswers(attestations), rotate: () => { keyId = 'second' } }
}

function outcome (changes: Partial<Outcome> = {}): Outcome {
  return {
    object: new Uint8Array(12),
    patches: {
      offsets: Uint32Array.of(2), before: new Uint8Array(8), after: new Uint8Array(8).fill(1)
    },
    sha256: sha256('result'),
    counts: {
      resolved: 1, absent: 0, poisoned: 0
    } as Outcome['counts'],
    verdict: 'loads',
    assumes: [],
    isJudged: false,
    isAlreadyRelocated: false,
    report: undefined,
    parseMs: 1,
    relocateMs: 2,
    fetchMs: 3,
    ...changes
  }
}

function question (target: Partial<Target> = {}, request: Partial<Question['request']> = {}): Question {
  return {
    request: { onUnresolved: 'poison', wantsReport: false, ...request },
    objectSha256: OBJECT,
    target: {
      btf: sha256('btf'), modules: [], kernel: '6.1', source: 'local', brought: undefined, records: [RECORD], fetchMs: 0, ...target
    }
  }
}

describe('the answer about a held result', () => {
  it('is made once for each question', () => {
    const { answers } = createLab()
    const result = outcome()
    const questions = [
      question(), question({ kernel: '6.2' }), question({ source: 'upload' }), question({ records: [] }),
      question({}, { wantsReport: true })
    ]
    const first = questions.map(asked => answers.ofHeld(result, asked))
    expect(new Set(first).size).toBe(questions.length)
    expect(questions.map((asked, i) => answers.ofHeld(result, asked) === first[i])).toEqual(questions.map(() => true))
  })

  it('makes the bytes when they are first asked for, and tells the size at once', () => {
    const answer = createLab().answers.ofHeld(outcome(), question())
    expect([...answer.bytes]).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    expect(answer.bytes).toBe(answer.bytes)
    expect(answer.byteLength).toBe(12)
  })

  it('is made anew once nothing is kept of the result', () => {
    const { answers } = createLab()
    const result = outcome()
    const first = answers.ofHeld(result, question())
    answers.forget(result)
    expect(answers.ofHeld(result, question())).not.toBe(first)
  })

  it('says that it took no time, and what was asked for', () => {
    const answer = createLab().answers.ofHeld(outcome(), question())
    expect(answer).toMatchObject({
      cached: true,
      timing: { resolve: 0, fetch: 0, parse: 0, relocate: 0 },
      objectSha256: OBJECT,
      kernel: '6.1',
      attestation: 'first signs 6.1'
    })
  })

  it('names no kernel in what is signed where the caller named none that is known', () => {
    const { answers } = createLab()
    const result = outcome()
    expect([question(), question({ records: [] })].map(asked => answers.ofHeld(result, asked).attestation)).toEqual([
      'first signs 6.1', 'first signs nothing'
    ])
  })

  it('is not kept under a name that only the caller gives to a BTF, of which there is no end', () => {
    const { answers } = createLab()
    const result = outcome()
    const invented = question({ records: [], kernel: 'invented' }, { kernel: { release: 'invented' } })
    const [first, second] = [answers.ofHeld(result, invented), answers.ofHeld(result, invented)]
    expect(second).toEqual(first)
    expect(second).not.toBe(first)
  })

  it('is signed anew once the key has ended', () => {
    const { answers, rotate } = createLab()
    const result = outcome()
    answers.ofHeld(result, question())
    rotate()
    expect(answers.ofHeld(result, question()).attestation).toBe('second signs 6.1')
  })

  it('is refused each time where it must have no poisoned instruction', () => {
    const { answers } = createLab()
    const result = outcome({
      counts: { resolved: 1, absent: 0, poisoned: 1 } as Outcome['counts'],
      verdict: 'unknown',
      report: { failure: { records: 1, first: 'p, instruction 3: gone.' } } as Outcome['report']
    })
    answers.ofHeld(result, question())
    for (let i = 0; i < 2; i++) {
      expect(() =>
        answers.ofHeld(result, question({}, { onUnresolved: 'fail' }))).toThrow(expect.objectContaining({ code: 'unresolved_reachable' }))
    }
  })
})

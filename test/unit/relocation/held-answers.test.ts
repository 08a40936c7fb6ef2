import { expect, it } from 'vitest'
import { createHeldAnswers, type HeldAnswer } from '../../../src/relocation/held-answers.js'
import type { HeldQuestion } from '../../../src/relocation/types.js'

function lab () {
  const state = { revision: 1, keyId: 'first' }
  const answers = createHeldAnswers({ revision: () => state.revision, keyId: () => state.keyId })
  return { state, answers }
}

const question = {} as HeldQuestion
const answer = { key: 'a', notedAt: 0 } as HeldAnswer

it('an answer that was found is found again for the same question only', () => {
  const { answers } = lab()
  answers.keep(question, answer)
  expect(answers.find(question)).toMatchObject({ key: 'a' })
  expect(answers.find({} as HeldQuestion)).toBeUndefined()
})

it('what is noted of an answer when it is first given is known of it afterwards', () => {
  const { answers } = lab()
  const held = { ...answer }
  answers.keep(question, held)
  held.notedAt = 5
  expect(answers.find(question)?.notedAt).toBe(5)
})

it.each([
  ['the index has other rows', ({ state }: ReturnType<typeof lab>) => { state.revision++ }],
  ['another key signs', ({ state }: ReturnType<typeof lab>) => { state.keyId = 'second' }],
  ['a result was let go of', ({ answers }: ReturnType<typeof lab>) => { answers.clear() }]
])('an answer is looked for anew once %s', (_, happens) => {
  const made = lab()
  made.answers.keep(question, answer)
  happens(made)
  expect(made.answers.find(question)).toBeUndefined()
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BYTE_ORDERS } from '../support/byte-writer.js'
import { runs } from '../support/property-runs.js'
import { relocateSteps } from '../support/scenario.js'
import { composite, lay, toStep, walk } from '../support/shapes.js'

const walks = fc.array(
  fc.record({ choices: fc.array(fc.nat(20), { minLength: 2, maxLength: 9 }), which: fc.nat(5) }), { minLength: 1, maxLength: 12 }
)

describe('random structs', () => {
  it('relocate against their own BTF to what they are, and change nothing', () => {
    fc.assert(fc.property(composite, walks, fc.constantFrom(...BYTE_ORDERS), (shape, paths, byteOrder) => {
      const { b, root } = lay(shape, 0, byteOrder)
      const steps = paths.flatMap(({ choices, which }) => walk([root, root], byteOrder, choices, which) ?? [])
      fc.pre(steps.length > 0)
      const { relocation, outcomes } = relocateSteps({ local: b, target: b, steps: steps.map(step => toStep(root.id, step, byteOrder)) })
      expect(outcomes).toEqual(steps.map(step => `resolved ${step.values[0]}`))
      expect(relocation.records.map(record => Number(record.oldValue))).toEqual(steps.map(step => step.values[0]))
      expect(relocation.changedInstructions).toBe(0)
    }), runs(40))
  })

  it('relocate against a kernel with every member elsewhere to where it is there', () => {
    fc.assert(fc.property(composite, walks, fc.constantFrom(...BYTE_ORDERS), (shape, paths, byteOrder) => {
      const local = lay(shape, 0, byteOrder)
      const target = lay(shape, 1, byteOrder)
      const steps = paths.flatMap(({ choices, which }) => walk([local.root, target.root], byteOrder, choices, which) ?? [])
      fc.pre(steps.length > 0)
      const { relocation, outcomes, object } = relocateSteps({
        local: local.b, target: target.b, steps: steps.map(step => toStep(local.root.id, step, byteOrder))
      })
      expect(outcomes).toEqual(steps.map(step => `resolved ${step.values[1]}`))
      expect(relocation.changedInstructions).toBe(steps.filter(step => step.values[0] !== step.values[1]).length)

      const program = object.section('raw_tp/test')
      const outside = Array.from(object.bytes.keys()).filter(i => {
        const inProgram = i >= program.offset && i < program.offset + steps.length * 8
        const inLength = i >= object.coreReloLenOffset && i < object.coreReloLenOffset + 4
        return !inProgram && !inLength && object.bytes[i] !== relocation.bytes?.[i]
      })
      expect(outside).toEqual([])
    }), runs(40))
  })
})

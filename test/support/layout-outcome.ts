import { AppError } from '../../src/errors.js'
import type { Btf } from '../../src/btf/btf.js'
import { listPatches, relocate, type BpfObject } from '../../src/core/index.js'
import { isOfLayout } from '../../src/layout/index.js'
import { buildReport, judgeRelocation, kernelSymbols, noteAsked } from '../../src/report/index.js'

export interface FullOutcome {
  /** Patches, verdicts, reasons and suggestions, as one text. */
  readonly text: string
  /** Whether it is said to be that of every kernel with the same layout vector. */
  readonly isShared: boolean
}

/** All that can be told of an object on one kernel, but what its programs attach to: that is told of each kernel by itself. */
export function fullOutcome (object: BpfObject, btf: Btf, kernelRelease?: string): FullOutcome {
  try {
    const relocation = relocate(object, btf)
    const symbols = noteAsked(kernelSymbols([btf]))
    const judgement = judgeRelocation(object, relocation, { kernelRelease, hasKernelSymbol: symbols.has })
    const { report, json } = buildReport(object, relocation, judgement, { isOfLayout: true })
    const patches = relocation.patches === undefined
      ? null
      : listPatches(relocation.patches).map(({ offset, after }) => [offset, [...after]])
    return {
      text: JSON.stringify([patches, report, new TextDecoder().decode(json().failing)]),
      isShared: isOfLayout(relocation, symbols.wasAsked())
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { text: JSON.stringify(error), isShared: false }
  }
}

export { parseAssumptions, resolveAssumptions, type AssumedValue } from './assume.js'
export { judge } from './judge.js'
export type { JudgeOptions, Judgement, ProgramVerdict, Verdict } from './judgement.js'
export { kernelSymbols } from './symbols.js'

export { judge } from './judge.js'
export type { JudgeOptions, Judgement, ProgramVerdict, Verdict } from './judgement.js'

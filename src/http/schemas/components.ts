import { CheckAnswer, CheckFailure, CheckForm, CheckGroup, CheckRow, CheckSummary, CheckWarning } from './check.js'
import { Envelope, Jwks } from './keys.js'
import { State, StoredObject } from './content.js'
import { Kernel, KernelPage, OfferedKernel } from './kernel.js'
import { Problem } from './problem.js'
import { MinBtfForm, RelocateForm } from './relocate.js'
import { Program, Relocation, Report } from './report.js'
import {
  FoundType, HistoryRange, KernelTypes, Member, MemberDifference, MemberPlace, ObjectTypes, TypeDifference, TypeHistory, TypesDiff,
  TypeSearch
} from './types.js'

/** Every schema with a name of its own in the OpenAPI document. */
export const COMPONENTS = [
  Problem, Report, Program, Relocation, RelocateForm, MinBtfForm, Kernel, OfferedKernel, KernelPage, KernelTypes, ObjectTypes, Member,
  MemberPlace, MemberDifference, TypeDifference, TypesDiff, HistoryRange, TypeHistory, FoundType, TypeSearch,
  StoredObject, State, Envelope, Jwks,
  CheckForm, CheckFailure, CheckRow, CheckGroup, CheckSummary, CheckWarning, CheckAnswer
] as const

import type { CheckState } from '../../src/check/wire.js'
import type { RelocationStatus } from '../../src/wire/report.js'
import { Icon, type IconName } from './icons.js'

export type Tone = 'good' | 'bad' | 'doubtful' | 'quiet'

interface Look { readonly word: string, readonly icon: IconName, readonly tone: Tone, readonly meaning: string }

/** Words are those of the API. */
export const LOOKS: Readonly<Record<CheckState, Look>> = {
  loads: { word: 'loads', icon: 'loads', tone: 'good', meaning: 'The kernel has a value for each instruction that a program can reach.' },
  fails: { word: 'fails', icon: 'fails', tone: 'bad', meaning: 'A program can reach an instruction for which the kernel has no value.' },
  unresolvable: { word: 'unresolvable', icon: 'fails', tone: 'bad', meaning: 'libbpf refuses the object for this kernel.' },
  unknown: { word: 'unknown', icon: 'unknown', tone: 'doubtful', meaning: 'It cannot be decided whether such an instruction is reached.' },
  unknown_kernel: { word: 'unknown kernel', icon: 'unknown', tone: 'doubtful', meaning: 'No BTF of this kernel can be had.' },
  not_fetched: { word: 'not fetched', icon: 'fetch', tone: 'doubtful', meaning: 'A source offers this kernel, and it is not held.' },
  error: { word: 'error', icon: 'warning', tone: 'doubtful', meaning: 'This kernel could not be checked.' }
}

export const STATUSES: Readonly<Record<RelocationStatus, Look>> = {
  resolved: { word: 'resolved', icon: 'loads', tone: 'good', meaning: 'A value of the kernel was written.' },
  absent: { word: 'absent', icon: 'absent', tone: 'quiet', meaning: 'The program asks whether the kernel has it: no.' },
  poisoned: { word: 'poisoned', icon: 'fails', tone: 'bad', meaning: 'The kernel has no value; the instruction is an invalid call now.' },
  failed: { word: 'failed', icon: 'fails', tone: 'bad', meaning: 'libbpf refuses the object because of this.' }
}

/** A state in a sign, a word and a colour. */
export function Mark ({ look }: { readonly look: Look }) {
  return <span class={`mark ${look.tone}`}><Icon name={look.icon} /><span>{look.word}</span></span>
}

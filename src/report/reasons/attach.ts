import type { ReportSuggestion } from '../../wire/report.js'

/** What a program attaches to, where its context type tells that the kernel does not have it. */
export interface MissingTarget {
  /** A sentence behind `This kernel has no struct bpf_iter__task.` */
  readonly detail: string
  readonly suggestion: ReportSuggestion
}

const ITERATOR = /^struct bpf_iter__(\w+)$/
const TRACEPOINT = /^struct (trace_event_raw_\w+|syscall_trace_(enter|exit))$/

/** Whether a kernel makes such types for what programs attach to. */
export function isContext (type: string): boolean { return ITERATOR.test(type) || TRACEPOINT.test(type) }

/**
 * A program that attaches to what the kernel does not have is refused there, whatever it guards: its context type tells. Undefined where
 * the type is no such one.
 *
 * @param type as C names it, without a flavour
 * @param section of the program
 * @param isOtherThere whether the program asks for another type of this form, too, and the kernel has that
 */
export function missingTarget (type: string, section: string, isOtherThere: (form: RegExp) => boolean): MissingTarget | undefined {
  const name = section.replace(/^\?/, '')
  const [, iterator] = ITERATOR.exec(type) ?? []
  if (iterator !== undefined && /^iter(\.s)?\//.test(name)) {
    return { detail: `So it has no iterator of ${iterator}, and the program cannot attach.`, suggestion: leaveOut(name, 'iterator') }
  }
  // The type of a tracepoint changes where it becomes one of a class, or stops to be: programs ask for both.
  if (TRACEPOINT.test(type) && /^(tp|tracepoint)\//.test(name) && !isOtherThere(TRACEPOINT)) {
    return { detail: 'So it may not have the tracepoint, and the program cannot attach.', suggestion: leaveOut(name, 'tracepoint') }
  }
  return undefined
}

function leaveOut (section: string, what: string): ReportSuggestion {
  return {
    text: `A guard inside the program does not help. Load the program only where the kernel has the ${what}: with this section libbpf ` +
      'leaves it out, unless the loader calls bpf_program__set_autoload(prog, true):',
    code: `SEC("?${section}")`
  }
}

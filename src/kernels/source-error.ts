import { AppError, type ErrorCode } from '../errors.js'
import { gravest, type Refusal, type RefusalState } from '../fetch/refusal.js'

/** What one source said of one kernel. */
export interface AskedSource {
  readonly source: string
  /** The kernel that was asked for. */
  readonly kernel: string
  readonly refusal: Refusal
}

const CODES: Readonly<Record<Exclude<RefusalState, 'absent'>, ErrorCode>> = {
  timeout: 'source_timeout',
  failed: 'source_failed',
  busy: 'source_failed',
  denied: 'source_failed',
  malformed: 'source_invalid'
}

/** How many answers one line of an error quotes. */
const MOST_QUOTED = 4

/** What each source said, a line each, as errors list it. */
export function toAnswers (asked: readonly AskedSource[]): Array<{ source: string, answer: string }> {
  const bySource = new Map<string, string[]>()
  for (const { source, refusal } of asked) bySource.set(source, [...bySource.get(source) ?? [], refusal.answer])
  return [...bySource].map(([source, answers]) => {
    const different = [...new Set(answers)]
    const more = different.length - MOST_QUOTED
    return { source, answer: different.slice(0, MOST_QUOTED).join('; ') + (more > 0 ? `; and ${more} more` : '') }
  })
}

/** The error of a kernel of which some source may have BTF that it did not give; undefined where none has. */
export function sourceError (kernel: string, asked: readonly AskedSource[]): AppError | undefined {
  const worst = gravest(asked.map(({ source, refusal }) => ({ ...refusal, source })))
  if (worst === undefined || worst.state === 'absent') return undefined
  const { retryAfterMs } = worst
  const advice = worst.state === 'malformed' ? 'supply its BTF with PUT, or send it as the btf part' : 'try again later, or supply the BTF'
  return new AppError(CODES[worst.state], `The source ${worst.source} may have kernel ${kernel}, but ${worst.answer}; ${advice}.`, {
    kernel,
    source: worst.source,
    answer: worst.answer,
    sources: toAnswers(asked),
    ...(retryAfterMs === undefined ? {} : { retry_after: Math.max(1, Math.ceil(retryAfterMs / 1000)) })
  })
}

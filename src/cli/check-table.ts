import { foldedExplanationOf, MEANINGS } from '../check/failure-text.js'
import { inOrder, type Group } from '../check/formats/groups.js'
import type { SummaryCounter } from '../check/summary.js'
import { STATES, type CheckState } from '../check/wire.js'
import { withFirstInOrder } from '../identity/kernel-order.js'
import { printable, printableLine, shorten, table } from './table.js'
import { paintFor } from './terminal.js'
import { firstOf } from '../wire/words.js'

/** What a person sees of a check: while it runs, a table that grows on a terminal, and in the end the table with what explains it. */
export interface CheckTable {
  update(groups: readonly Group[], counter: SummaryCounter): void
  end(groups: readonly Group[], counter: SummaryCounter): void
}

/** A terminal is written to so often. */
const INTERVAL_MS = 100
/** Lines of the table while it grows: what is above the screen cannot be drawn anew. */
const LIVE_LINES = 12
const NAMES_SHOWN = 3

const COLOURS: Readonly<Record<CheckState, 'green' | 'red' | 'yellow'>> = {
  loads: 'green',
  fails: 'red',
  unresolvable: 'red',
  unknown: 'yellow',
  unknown_kernel: 'yellow',
  not_fetched: 'yellow',
  error: 'yellow'
}

export function createCheckTable (stream: NodeJS.WriteStream, rows: number | undefined): CheckTable {
  const paint = paintFor(stream)
  let drawn = 0
  let drawnAt = -Infinity
  const width = (): number => Math.max(40, (stream.columns ?? 80) - 1)
  const erase = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[J`)
    drawn = 0
  }
  return {
    update (groups, counter) {
      const now = performance.now()
      if (!stream.isTTY || now - drawnAt < INTERVAL_MS) return
      drawnAt = now
      const done = counter.summary().rows
      const all = tableOf(inOrder(groups))
      const shown = all.slice(0, LIVE_LINES)
      const more = all.length > shown.length ? [`  and ${all.length - shown.length} more`] : []
      const lines = [...shown, ...more, `${done}${rows === undefined ? '' : ` of ${rows}`} rows`].map(line => shorten(line, width()))
      erase()
      stream.write(`${lines.join('\n')}\n`)
      drawn = lines.length
    },
    end (groups, counter) {
      erase()
      const ordered = inOrder(groups)
      const [head = '', ...lines] = tableOf(ordered, stream.isTTY ? width() : Infinity)
      const painted = lines.map((line, i) => {
        const state = ordered[i]?.outcome.state ?? 'error'
        return line.replace(state, paint(COLOURS[state], state))
      })
      const summary = counter.summary()
      const counts = STATES.filter(state => summary.states[state] > 0).map(state => `${summary.states[state]} ${state}`)
      const before = summary.baseline === null ? '' : `, ${summary.baseline.same} as in the baseline`
      const text = [
        ...(ordered.length === 0 ? [] : [paint('dim', head), ...painted]),
        ...sectionsOf(ordered.filter(({ baseline }) => baseline !== 'same')).flatMap(explained),
        '',
        `${counts.join(', ') || 'no rows'}${before}: ${summary.verdict}`
      ]
      stream.write(`${text.join('\n')}\n`)
    }
  }
}

/** @param width of the terminal: as many kernels are named as a line has room for, and one at least */
function tableOf (groups: readonly Group[], width = Infinity): string[] {
  const head = ['STATE', 'OBJECT', 'KERNELS']
  const rows = groups.map(({ outcome, object, kernels }) => [outcome.state, printable(object.name), String(kernels.length)])
  const [widest = ''] = table(head, rows)
  return table([...head, ''], rows.map((row, i) => {
    const { kernels = [], baseline = undefined } = groups[i] ?? {}
    const note = baseline === 'same' ? ' (as in the baseline)' : ''
    return [...row, `${kernelsOf(kernels, width - widest.length - GAP - note.length)}${note}`]
  }))
}

/** Spaces between columns. */
const GAP = 2

/** The first of some names: three, or fewer where they have no room. */
function namesOf (names: readonly string[], room = Infinity): string {
  const texts = Array.from({ length: NAMES_SHOWN }, (_, i) => printable(firstOf(names, NAMES_SHOWN - i)))
  return texts.find(text => text.length <= room) ?? texts.at(-1) ?? ''
}

/** The same of kernels, in their order: rows come as they are answered. */
function kernelsOf (names: readonly string[], room?: number): string {
  return namesOf(withFirstInOrder(names, NAMES_SHOWN), room)
}

/** What is said of a group, or of several where it is the same. */
interface Section {
  readonly group: Group
  readonly objects: string[]
}

/** That a kernel cannot be had holds for every object, and is said once. */
function sectionsOf (groups: readonly Group[]): Section[] {
  const sections: Section[] = []
  const ofKernels = new Map<string, Section>()
  for (const group of groups) {
    const { outcome: { state, reason }, object } = group
    if (state === 'loads') continue
    const isOfKernels = state === 'unknown_kernel' || state === 'not_fetched'
    const key = isOfKernels ? JSON.stringify([state, reason, group.kernels]) : undefined
    const known = key === undefined ? undefined : ofKernels.get(key)
    if (known !== undefined) {
      known.objects.push(object.name)
      continue
    }
    const section = { group, objects: [object.name] }
    sections.push(section)
    if (key !== undefined) ofKernels.set(key, section)
  }
  return sections
}

function explained ({ group: { outcome, object, kernels }, objects }: Section): string[] {
  const lines = foldedExplanationOf(outcome, object.name).map(printableLine)
  const head = `${namesOf(objects)} on ${kernelsOf(kernels)}: ${MEANINGS[outcome.state]}`
  return ['', head, ...lines.map(line => line === '' ? '' : `  ${line}`)]
}

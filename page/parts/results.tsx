import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { CheckWarning } from '../../src/check/wire.js'
import { groupBy } from '../model/group-by.js'
import { listColumns, listItems, toggleGroup, type RowChoice } from '../model/groups.js'
import { toggleIn } from '../model/kernel-choice.js'
import { MAX_TEXT } from '../model/link.js'
import { countStates, STATES } from '../model/matrix.js'
import { sentenceOf } from '../model/sentence.js'
import { CopyButton } from './copy-button.js'
import { count, counted } from '../model/format.js'
import { Icon } from './icons.js'
import { Matrix, type OpenCell } from './matrix.js'
import { Problem } from './problem.js'
import { useService } from './service-context.js'
import { LOOKS } from './state-mark.js'
import type { CheckRun } from './use-check.js'
import { useProgress } from './use-progress.js'

/** How long nobody types before a screen reader is told what is left, in milliseconds. */
const SETTLED_MS = 700

/** What is said of a check without a row. */
const NO_ROWS: Readonly<Record<CheckRun['state'], string>> = {
  running: 'Checking …', done: 'There was nothing to check', stopped: 'Stopped before there was a result', failed: 'There is no result'
}

/** Names of objects before the rest is asked for: more would push the rows off the screen. */
const FEW_NAMES = 4

const NONE_LEFT = 'No row is left. Take a state back, or search for less.'

/** What a check has found: the sum, and the matrix. */
export function Results ({ run, rows, open, lost, link, onRows, onOpen, onStop }: {
  readonly run: CheckRun
  readonly rows: RowChoice
  readonly open: OpenCell | undefined
  /** A kernel that the link opens, and that the check does not have. */
  readonly lost: string | undefined
  /** The address of this view. */
  readonly link: () => string
  readonly onRows: (rows: RowChoice) => void
  readonly onOpen: (cell: OpenCell) => void
  readonly onStop: () => void
}) {
  const { matrix, version, state, expected, problem } = run
  const { announce } = useService()
  const { grouping, states, text } = rows
  const counts = useMemo(() => countStates(matrix), [matrix, version])
  const items = useMemo(() => listItems(matrix, rows), [matrix, version, rows])
  const columns = useMemo(() => listColumns(matrix, rows), [matrix, version, rows])
  const sentence = useMemo(() => matrix.rows === 0 ? NO_ROWS[state] : sentenceOf(matrix), [matrix, version, state])
  const isEmpty = matrix.rows === 0 && state !== 'running'

  // A check of thousands is left to run in a tab of its own, and found again by this.
  useEffect(() => {
    document.title = `${sentence} – corelo`
    return () => { document.title = 'corelo' }
  }, [sentence])

  const progress = useProgress()
  useEffect(() => { progress.begin() }, [matrix])
  useEffect(() => {
    if (state === 'done') announce(`The check is done: ${sentence}.`)
    else if (state !== 'running') announce(problem ?? `Stopped after ${counted(matrix.rows, 'row')}.`)
    else progress.tell(`${count(matrix.rows)} of ${count(expected)} rows.`)
  }, [version, state])

  const filter = useRef({ states, text })
  useEffect(() => {
    if (filter.current.states === states && filter.current.text === text) return
    filter.current = { states, text }
    const timer = setTimeout(() => { announce(items.length === 0 ? NONE_LEFT : `${counted(items.length, 'row')} left.`) }, SETTLED_MS)
    return () => { clearTimeout(timer) }
  }, [states, text])

  return (
    <section class='results' aria-labelledby='results-title'>
      <header class='results-head'>
        <div class='title'>
          <h2 id='results-title'>{sentence}</h2>
          {!isEmpty && <CopyButton icon='link' label='Copy link' text={link} isQuiet />}
        </div>
        {state === 'running' && (
          <div class='progress'>
            <progress max={Math.max(1, expected)} value={matrix.rows} aria-label='Rows that are there' />
            <span class='number'>{count(matrix.rows)} of {count(expected)}</span>
            <button type='button' class='quiet small below' onClick={onStop}><Icon name='stop' />Stop the check</button>
          </div>
        )}
        {problem !== undefined && <Problem>{problem}</Problem>}
        {!isEmpty && (state === 'stopped' || state === 'failed') && (
          <p class='note'>Only {count(matrix.rows)} of {counted(expected, 'row')} {matrix.rows === 1 ? 'is' : 'are'} there.</p>
        )}
        {lost !== undefined && (
          <p class='note' role='status'>The link opens {lost.replaceAll('/', ' ')}, which is not among the kernels of this check.</p>
        )}
        <Warnings warnings={matrix.warnings} />
        <div class='tools' hidden={isEmpty}>
          <div class='chips' role='group' aria-label='Only rows and objects with these states'>
            {STATES.filter(name => (counts.get(name) ?? 0) > 0).map(name => {
              const { word, icon, tone, meaning } = LOOKS[name]
              return (
                <button
                  key={name} type='button' class={`chip ${tone}`} aria-pressed={states.has(name)} title={meaning}
                  onClick={() => { onRows({ ...rows, states: new Set(toggleIn([...states], name)) }) }}
                >
                  <Icon name={icon} />{word} <span class='number'>{count(counts.get(name) ?? 0)}</span>
                </button>
              )
            })}
          </div>
          <fieldset class='segments'>
            <legend class='hidden'>Rows</legend>
            {(['outcome', 'kernel'] as const).map(value => (
              <label key={value}>
                <input
                  type='radio' name='grouping' checked={grouping === value}
                  onChange={() => { onRows({ ...rows, grouping: value }) }}
                />
                <span>{value === 'outcome' ? 'By outcome' : 'By kernel'}</span>
              </label>
            ))}
          </fieldset>
          <div class='search'>
            <Icon name='search' />
            <input
              type='search' aria-label='Find kernels in the results' placeholder='Find a kernel' spellcheck={false}
              autocomplete='off' maxLength={MAX_TEXT} value={text}
              onInput={event => { onRows({ ...rows, text: event.currentTarget.value }) }}
            />
          </div>
        </div>
      </header>
      {isEmpty
        ? null
        : items.length === 0 && matrix.rows > 0
          ? <p class='empty'>{NONE_LEFT}</p>
          : (
            <Matrix
              matrix={matrix} columns={columns} items={items} open={open} isGrouped={grouping === 'outcome'} onOpen={onOpen}
              onToggle={group => { onRows({ ...rows, open: toggleGroup(matrix, rows, group) }) }}
            />
            )}
    </section>
  )
}

/** A line for each thing that is warned of, with the objects that it is about. */
function Warnings ({ warnings }: { readonly warnings: readonly CheckWarning[] }) {
  if (warnings.length === 0) return null
  return (
    <ul class='warnings' aria-label='Warnings'>
      {[...groupBy(warnings, ({ message }) => message)].map(([message, about]) => {
        const names = about.map(({ object_name: name }) => name).join(', ')
        return (
          <li key={message} class='note'>
            {about.length <= FEW_NAMES
              ? <><span class='name'>{names}</span>: {message}</>
              : <details><summary><span class='name'>{counted(about.length, 'object')}</span>: {message}</summary>{names}</details>}
          </li>
        )
      })}
    </ul>
  )
}

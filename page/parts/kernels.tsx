import { useMemo } from 'preact/hooks'
import { count, counted } from '../model/format.js'
import {
  countFacet, isWholeFleet, toggleIn, WHOLE_FLEET, type Facet, type KernelChoice, type ListedKernel
} from '../model/kernel-choice.js'
import { MAX_TEXT } from '../model/link.js'
import { Icon } from './icons.js'
import { KernelList } from './kernel-list.js'
import { Problem } from './problem.js'

export interface KernelsState {
  readonly list: readonly ListedKernel[]
  readonly state: 'loading' | 'ready' | 'failed'
  readonly problem: string | undefined
}

/** Which kernels are checked: by search, by facets, one by one, or all. */
export function Kernels ({ kernels, choice, listed, chosen, onChoice, onReload }: {
  readonly kernels: KernelsState
  readonly choice: KernelChoice
  /** Those that its search and facets mean. */
  readonly listed: readonly ListedKernel[]
  /** How many the choice means. */
  readonly chosen: number
  readonly onChoice: (choice: KernelChoice) => void
  readonly onReload: () => void
}) {
  const { list, state, problem } = kernels
  const distros = useMemo(() => countFacet(list, choice, 'distro'), [list, choice])
  const arches = useMemo(() => countFacet(list, choice, 'arch'), [list, choice])
  const held = useMemo(() => list.filter(kernel => kernel.state === 'held').length, [list])
  const offered = list.length - held
  const word = choice.picked.length > 0 ? 'picked' : chosen === 1 ? 'matches' : 'match'

  return (
    <section class='panel kernels' aria-labelledby='kernels-title'>
      <div class='title'>
        <h2 id='kernels-title'>Kernels</h2>
        <span class='note'>
          {state === 'loading' ? `${count(list.length)} so far …` : `${count(held)} held`}{offered > 0 && `, ${count(offered)} offered`}
        </span>
      </div>
      {state === 'failed' && (
        <Problem>{problem} <button type='button' class='quiet' onClick={onReload}>Load kernels again</button></Problem>
      )}
      {state === 'ready' && list.length === 0
        ? (
          <p class='empty'>
            This service knows no kernels yet. Import some with <code>corelo btf import</code>, or set a source
            (<code>CORELO_BTFHUB_URL</code>, <code>CORELO_PACKAGES</code>).{' '}
            <button type='button' class='quiet' onClick={onReload}>Load kernels again</button>
          </p>
          )
        : (
          <>
            <div class='search'>
              <Icon name='search' />
              <input
                type='search' aria-label='Search kernels' placeholder='ubuntu 5.4.0-*' spellcheck={false}
                autocomplete='off' maxLength={MAX_TEXT} value={choice.text}
                onInput={event => { onChoice({ ...choice, text: event.currentTarget.value }) }}
              />
            </div>
            <Facets
              title='Distribution' facets={distros} chosen={choice.distros}
              onToggle={value => { onChoice({ ...choice, distros: toggleIn(choice.distros, value) }) }}
            />
            <Facets
              title='Architecture' facets={arches} chosen={choice.arches}
              onToggle={value => { onChoice({ ...choice, arches: toggleIn(choice.arches, value) }) }}
            />
            {offered > 0 && (
              <label class='choice'>
                <input
                  type='checkbox' checked={choice.offered}
                  onChange={event => { onChoice({ ...choice, offered: event.currentTarget.checked }) }}
                />
                <span>Also what sources offer, and fetch it (32 kernels a check)</span>
              </label>
            )}
            <KernelList kernels={listed} picked={choice.picked} onPick={picked => { onChoice({ ...choice, picked }) }} />
            <p class='meant'>
              <strong role='status'>
                {isWholeFleet(choice)
                  ? `The whole fleet${state === 'ready' ? `: ${counted(held, 'kernel')}` : ''}`
                  : `${counted(chosen, 'kernel')} ${word}`}
              </strong>
              {!isWholeFleet(choice) && <button type='button' class='quiet' onClick={() => { onChoice(WHOLE_FLEET) }}>Whole fleet</button>}
            </p>
          </>
          )}
    </section>
  )
}

function Facets ({ title, facets, chosen, onToggle }: {
  readonly title: string
  readonly facets: readonly Facet[]
  readonly chosen: readonly string[]
  readonly onToggle: (value: string) => void
}) {
  if (facets.length === 0) return null
  return (
    <fieldset class='facets'>
      <legend>{title}</legend>
      {facets.map(facet => (
        <button
          key={facet.value} type='button' class='chip' aria-pressed={chosen.includes(facet.value)}
          onClick={() => { onToggle(facet.value) }}
        >
          {facet.value} <span class='number'>{count(facet.count)}</span>
        </button>
      ))}
    </fieldset>
  )
}

import { useMemo, useState } from 'preact/hooks'
import type { RelocationStatus, ReportPlace, ReportRelocation } from '../../src/wire/report.js'
import { memberOf, parseNamedType } from '../model/compare-types.js'
import { ComparedType } from './compared-type.js'
import { CopyButton } from './copy-button.js'
import { count, counted } from '../model/format.js'
import { Icon } from './icons.js'
import { MemberHistory } from './member-history.js'
import { Mark, STATUSES } from './state-mark.js'

/** Entries that are listed at first, and places of one. */
const FIRST = 60
const FIRST_PLACES = 12

const RANK: Readonly<Record<RelocationStatus, number>> = { failed: 0, poisoned: 1, absent: 3, resolved: 4 }

/** What became of each record, that which keeps a program from loading first. */
export function Relocations ({ relocations, kernel, object }: {
  readonly relocations: readonly ReportRelocation[]
  readonly kernel: string
  /** The object's hash. */
  readonly object: string
}) {
  const [limit, setLimit] = useState(FIRST)
  const places = relocations.reduce((sum, { places_total: total }) => sum + total, 0)
  const sorted = useMemo(() => relocations.toSorted((a, b) => rankOf(a) - rankOf(b)), [relocations])
  return (
    <section aria-labelledby='relocations-title'>
      <h3 id='relocations-title'>
        Relocations <span class='number'>{count(relocations.length)}</span>
        {places > relocations.length && <span class='number'> in {counted(places, 'place')}</span>}
      </h3>
      {relocations.length === 0 && <p class='note'>The object has nothing to relocate.</p>}
      <ul class='relocations'>
        {sorted.slice(0, limit).map((relocation, i) => (
          <li key={i}>
            <Entry relocation={relocation} kernel={kernel} object={object} isOpenAtFirst={i === 0 && rankOf(relocation) < 2} />
          </li>
        ))}
      </ul>
      {sorted.length > limit && (
        <button type='button' onClick={() => { setLimit(limit * 4) }}>Show more of {counted(sorted.length, 'relocation')}</button>
      )}
    </section>
  )
}

/** A poisoned instruction that no program reaches is no failure. */
function rankOf ({ status, places }: ReportRelocation): number {
  return status === 'poisoned' && places.every(({ reachable }) => reachable === false) ? 2 : RANK[status]
}

function Entry ({ relocation, kernel, object, isOpenAtFirst }: {
  readonly relocation: ReportRelocation
  readonly kernel: string
  readonly object: string
  readonly isOpenAtFirst: boolean
}) {
  const { status, access, kind, type, old, new: now, places_total: total } = relocation
  // What is inside asks the service, so it is made when it is wanted.
  const [isOpen, setOpen] = useState(isOpenAtFirst)
  return (
    <details open={isOpenAtFirst} onToggle={event => { setOpen(event.currentTarget.open) }}>
      <summary>
        <span class='twist'><Icon name='open' /></span>
        <Mark look={STATUSES[status]} />
        <code class='access'>{access === '' ? type : access}</code>
        <span class='kind'>{kind}</span>
        <span class='value number'>{now === null ? '' : String(old) === String(now) ? String(now) : `${old} → ${now}`}</span>
        <span class='note'>{counted(total, 'place')}</span>
      </summary>
      {isOpen && <EntryBody relocation={relocation} kernel={kernel} object={object} />}
    </details>
  )
}

function EntryBody ({ relocation, kernel, object }: {
  readonly relocation: ReportRelocation
  readonly kernel: string
  readonly object: string
}) {
  const { detail, suggestions, places, places_total: total, type, access } = relocation
  const named = parseNamedType(type)
  const member = memberOf(access)
  return (
    <div class='entry'>
      {detail !== null && <p class='why'>{detail}</p>}
      <Places places={places} total={total} />
      {suggestions.map(({ text, code }) => (
        <div key={text + code} class='suggestion'>
          <div class='line'><p>{text}</p>{code !== '' && <CopyButton label='Copy' text={() => code} />}</div>
          {code !== '' && <pre tabIndex={0} aria-label='Code to write instead'><code>{code}</code></pre>}
        </div>
      ))}
      {named !== undefined && <ComparedType named={named} member={member} kernel={kernel} object={object} />}
      {named !== undefined && member !== undefined && <MemberHistory named={named} member={member} kernel={kernel} />}
    </div>
  )
}

/** @param behind as the report has it; services before it say nothing */
function unreachedText (behind: boolean | null | undefined): string {
  if (behind === true) return ', which is reached once the poisoned instruction before it is mended'
  return behind === null ? ', which may be reached once the poisoned instruction before it is mended' : ', which no program reaches'
}

function Places ({ places, total }: { readonly places: readonly ReportPlace[], readonly total: number }) {
  const [isAll, setAll] = useState(false)
  const shown = isAll ? places : places.slice(0, FIRST_PLACES)
  return (
    <>
      <ol class='places'>
        {shown.map(({ program, section, instruction, reachable, behind_poison: behind, source }) => (
          <li key={`${section} ${program} ${instruction}`}>
            {source !== null && <code class='source'>{source.text.trim()}</code>}
            <span class='note'>
              {source !== null && <strong>{source.file}:{source.line}</strong>} in{' '}
              <code>{program === '' ? section : program}</code>, instruction {count(instruction)}
              {reachable === true && ', which the program can reach'}
              {reachable === false && unreachedText(behind)}
            </span>
          </li>
        ))}
      </ol>
      {shown.length < places.length && (
        <button type='button' class='quiet' onClick={() => { setAll(true) }}>Show all {counted(places.length, 'place')}</button>
      )}
      {places.length < total && <p class='note'>{counted(total - places.length, 'more place')} of {count(total)} in the report.</p>}
    </>
  )
}

import { Fragment } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import type { RelocationStatus, ReportPlace, ReportRelocation } from '../../src/wire/report.js'
import { memberOf, parseNamedType } from '../model/compare-types.js'
import { groupBy } from '../model/group-by.js'
import { ComparedType } from './compared-type.js'
import { CopyButton } from './copy-button.js'
import { count, counted } from '../model/format.js'
import { Icon } from './icons.js'
import { MemberHistory } from './member-history.js'
import { Mark, STATUSES } from './state-mark.js'

/** Entries that are listed at first, and source lines of one. */
const FIRST = 60
const FIRST_LINES = 12

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
      {named !== undefined && <ComparedType named={named} member={member} detail={detail} kernel={kernel} object={object} />}
      {named !== undefined && member !== undefined && <MemberHistory named={named} member={member} kernel={kernel} />}
    </div>
  )
}

/** Whether instructions are reached, at the end of a sentence about them. */
function reachText ([{ reachable, behind_poison: behind }, ...others]: SameLine): string {
  if (reachable === true) return others.length === 0 ? ', which the program can reach' : ', which programs can reach'
  if (reachable !== false) return ''
  // Services before it say nothing of what is behind.
  if (behind === true) return `, which ${others.length === 0 ? 'is' : 'are'} reached once the poisoned instruction before is mended`
  return behind === null ? ', which may be reached once the poisoned instruction before is mended' : ', which no program reaches'
}

type SameLine = readonly [ReportPlace, ...ReportPlace[]]

/** Places of one source line that are reached alike: a function that is inlined has one for each call. */
function placesByLine (places: readonly ReportPlace[]): readonly SameLine[] {
  const lines = groupBy(places, ({ program, section, source, reachable, behind_poison: behind }) =>
    JSON.stringify([source ?? [program, section], reachable, behind]))
  return [...lines.values()] as unknown as readonly SameLine[] // no group is empty
}

function Places ({ places, total }: { readonly places: readonly ReportPlace[], readonly total: number }) {
  const [isAll, setAll] = useState(false)
  const lines = placesByLine(places)
  const shown = isAll ? lines : lines.slice(0, FIRST_LINES)
  return (
    <>
      <ol class='places'>
        {shown.map(line => {
          const [{ source, program, section, instruction }] = line
          return (
            <li key={`${section} ${program} ${instruction}`}>
              {source !== null && <code class='source'>{source.text.trim()}</code>}
              <span class='note'>
                {source !== null && <strong>{source.file}:{source.line}</strong>} in{' '}
                {[...groupBy(line, ({ program, section }) => program === '' ? section : program)].map(([name, places], i) => (
                  <Fragment key={name}>
                    {i > 0 && '; '}
                    <code>{name}</code>, {places.length === 1 ? 'instruction' : 'instructions'}{' '}
                    {places.map(({ instruction }) => count(instruction)).join(', ')}
                  </Fragment>
                ))}
                {reachText(line)}
              </span>
            </li>
          )
        })}
      </ol>
      {shown.length < lines.length && (
        <button type='button' class='quiet' onClick={() => { setAll(true) }}>Show all {counted(places.length, 'place')}</button>
      )}
      {places.length < total && <p class='note'>{counted(total - places.length, 'more place')} of {count(total)} in the report.</p>}
    </>
  )
}

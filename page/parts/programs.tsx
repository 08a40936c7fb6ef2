import { useMemo, useState } from 'preact/hooks'
import type { ReportProgram } from '../../src/wire/report.js'
import { count, counted } from '../model/format.js'
import { STATES } from '../model/matrix.js'
import { LOOKS, Mark } from './state-mark.js'

/** Programs that are listed at first. */
const FIRST = 60

/** Each program with its own verdict, the worst first. */
export function Programs ({ programs }: { readonly programs: readonly ReportProgram[] }) {
  const [isAll, setAll] = useState(false)
  const sorted = useMemo(() => programs.toSorted((a, b) => STATES.indexOf(a.verdict) - STATES.indexOf(b.verdict)), [programs])
  const shown = isAll ? sorted : sorted.slice(0, FIRST)
  return (
    <section aria-labelledby='programs-title'>
      <h3 id='programs-title'>Programs <span class='number'>{count(programs.length)}</span></h3>
      {programs.length === 0
        ? <p class='note'>The object has no program.</p>
        : (
          <div class='scroll' tabIndex={0} role='region' aria-label='Programs'>
            <table class='programs'>
              <thead><tr><th scope='col'>Program</th><th scope='col'>Verdict</th><th scope='col' class='right'>Relocations</th></tr></thead>
              <tbody>
                {shown.map(({ name, section, verdict, verdict_reason: reason, needs_kernel_btf: needs, relocations }) => (
                  <tr key={`${section} ${name}`}>
                    <th scope='row'><code>{name}</code><span class='note'>{section}</span></th>
                    <td>
                      <Mark look={LOOKS[verdict]} />
                      {reason !== null && <span class='note'>{reason}</span>}
                      {needs !== null && <span class='note'>needs BTF on the node: {needs}</span>}
                    </td>
                    <td class='right number'>{count(relocations)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          )}
      {shown.length < programs.length && (
        <button type='button' class='quiet' onClick={() => { setAll(true) }}>Show all {counted(programs.length, 'program')}</button>
      )}
    </section>
  )
}

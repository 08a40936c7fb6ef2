import { useState } from 'preact/hooks'
import { getHistory } from '../api/types.js'
import type { NamedType } from '../model/compare-types.js'
import { describeRange, stripOf, type StripRow } from '../model/strip.js'
import { count, counted } from '../model/format.js'
import { Problem } from './problem.js'
import { useService } from './service-context.js'
import { useLoaded } from './use-loaded.js'

/** Rows before the rest is asked for. */
const FEW = 5

/** Where a member was, release by release, in all kernels that the service holds. */
export function MemberHistory ({ named, member, kernel }: { readonly named: NamedType, readonly member: string, readonly kernel: string }) {
  const { send } = useService()
  const [isAll, setAll] = useState(false)
  const loaded = useLoaded(`${named.kind} ${named.essential} ${member}`, async signal => await getHistory(send, named, member, signal))
  if (loaded.state === 'loading') return <p class='note'>Looking through the kernels for {member} …</p>
  if (loaded.state === 'failed') return <Problem>{loaded.message}</Problem>
  const { ranges, kernels, left_out: leftOut } = loaded.value
  const rows = stripOf(ranges, kernel)
  const shown = isAll ? rows : rows.slice(0, FEW)
  return (
    <div class='history' role='group' aria-label={`History of ${member}`}>
      <h4><code>{named.essential}.{member}</code> in {counted(kernels, 'kernel')}</h4>
      {shown.map(row => <Strip key={row.platform} row={row} />)}
      {shown.length < rows.length && (
        <button type='button' class='quiet' onClick={() => { setAll(true) }}>Show all {count(rows.length)}</button>
      )}
      {leftOut.map(({ reason, kernels: number }) => <p key={reason} class='note'>{counted(number, 'kernel')} left out: {reason}</p>)}
    </div>
  )
}

function Strip ({ row: { platform, ranges, kernels, isHere } }: { readonly row: StripRow }) {
  return (
    <div class={isHere ? 'strip here' : 'strip'}>
      <p>{platform} <span class='number note'>{count(kernels)}</span></p>
      <ol aria-label={`${platform}, from the oldest release`}>
        {ranges.map(range => (
          <li
            key={`${range.first} ${range.last}`}
            class={`${range.tone === -1 ? range.state : `tone-${range.tone}`}${range.isHere ? ' here' : ''}`}
            style={{ flexGrow: String(range.kernels) }} title={describeRange(range)}
          >
            <span class='hidden'>{describeRange(range)}</span>
            <span class='what' aria-hidden='true'>{range.path !== undefined && <code>{range.path} </code>}{range.label}</span>
            <span class='releases' aria-hidden='true'>{range.first === range.last ? range.first : `${range.first} – ${range.last}`}</span>
          </li>
        ))}
      </ol>
    </div>
  )
}

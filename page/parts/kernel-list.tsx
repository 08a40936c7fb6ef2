import { useRef, useState } from 'preact/hooks'
import { toggleIn, type ListedKernel } from '../model/kernel-choice.js'
import { rowsWith } from '../model/window.js'
import { Icon } from './icons.js'
import { useMovedFocus } from './use-moved-focus.js'
import { useWindow } from './use-window.js'

/** Height of a row, as the style sheet has it. */
const ROW_REM = 2.625

/** Thousands of kernels, of which some are picked. Arrows move, Space picks. */
export function KernelList ({ kernels, picked, onPick }: {
  readonly kernels: readonly ListedKernel[]
  readonly picked: readonly string[]
  readonly onPick: (picked: readonly string[]) => void
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const shown = useWindow(scroller, kernels.length, ROW_REM)
  const [wanted, setActive] = useState(0)
  const active = Math.max(0, Math.min(wanted, kernels.length - 1))
  const noteMove = useMovedFocus(scroller)
  const chosen = new Set(picked)

  const toggle = (at: number): void => {
    const name = kernels[at]?.reference
    if (name === undefined) return
    setActive(at)
    onPick(toggleIn(picked, name))
  }
  const move = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: 1, ArrowUp: -1, PageDown: shown.page, PageUp: -shown.page, Home: -Infinity, End: Infinity
    }
    const by = moves[event.key]
    if (by !== undefined) {
      const next = Math.max(0, Math.min(kernels.length - 1, active + by))
      noteMove()
      setActive(next)
      shown.reveal(next)
    } else if (event.key === ' ' || event.key === 'Enter') toggle(active)
    else return
    event.preventDefault()
  }

  const rows = rowsWith(shown.first, shown.end, active, kernels.length)
  return (
    <div class='kernel-list' ref={scroller}>
      {kernels.length === 0
        ? <p class='empty'>No kernel matches. Search for less, or take a facet back.</p>
        : (
          <div role='listbox' aria-label='Kernels' aria-multiselectable='true' style={{ height: `${shown.height}px` }} onKeyDown={move}>
            {rows.map(at => {
              const kernel = kernels[at]
              if (kernel === undefined) return null
              const isPicked = chosen.has(kernel.reference)
              return (
                <div
                  key={kernel.reference} role='option' class={kernel.state === 'held' ? 'option' : 'option offered'}
                  aria-selected={isPicked} aria-posinset={at + 1} aria-setsize={kernels.length}
                  title={kernel.reference} tabIndex={at === active ? 0 : -1}
                  style={{ top: `${at * shown.rowHeight}px` }} onClick={() => { toggle(at) }}
                >
                  <span class='box'>{isPicked && <Icon name='loads' />}</span>
                  <span class='names'>
                    <span class='release'>{kernel.release}</span>{' '}
                    <span class='platform'>
                      {kernel.distro} {kernel.distroVersion} {kernel.arch}{kernel.state === 'held' ? '' : ' · offered'}
                    </span>
                  </span>
                </div>
              )
            })}
          </div>
          )}
    </div>
  )
}

import { useMemo, useRef, useState } from 'preact/hooks'
import type { CheckOutcome } from '../../src/check/wire.js'
import { describeKernels, platformOf, releaseOf, type Group, type Item } from '../model/groups.js'
import type { Matrix as MatrixModel } from '../model/matrix.js'
import { count, counted } from '../model/format.js'
import { rowsWith } from '../model/window.js'
import { Hidden, Icon } from './icons.js'
import { LOOKS, Mark } from './state-mark.js'
import { useCut } from './use-cut.js'
import { useMedia } from './use-media.js'
import { useMovedFocus } from './use-moved-focus.js'
import { useWindow } from './use-window.js'

/** Height of a row. On a narrow screen it has two lines. */
const ROW_REM = 2.25
const NARROW_ROW_REM = 3.25
const NARROW = '(max-width: 40rem)'

export interface OpenCell {
  readonly column: number
  readonly kernel: string
}

/** Kernels by objects. One cell can be reached by Tab, all others from there by arrows. */
export function Matrix ({ matrix, columns, items, open, isGrouped, onToggle, onOpen }: {
  readonly matrix: MatrixModel
  /** Those that are shown, as places in the matrix. */
  readonly columns: readonly number[]
  readonly items: readonly Item[]
  readonly open: OpenCell | undefined
  readonly isGrouped: boolean
  readonly onToggle: (group: Group) => void
  readonly onOpen: (cell: OpenCell) => void
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const head = useRef<HTMLDivElement>(null)
  const shown = useWindow(scroller, items.length, useMedia(NARROW) ? NARROW_ROW_REM : ROW_REM, head)
  const [wanted, setActive] = useState({ row: 0, column: 0 })
  const width = columns.length
  const isCut = useCut(scroller, width)
  const active = { row: Math.max(0, Math.min(wanted.row, items.length - 1)), column: Math.min(wanted.column, width) }
  const noteMove = useMovedFocus(scroller, cell => { cell.scrollIntoView({ block: 'nearest', inline: 'nearest' }) })

  const go = (row: number, column: number): void => {
    const next = { row: Math.max(0, Math.min(items.length - 1, row)), column: Math.max(0, Math.min(width, column)) }
    noteMove()
    setActive(next)
    shown.reveal(next.row)
  }
  const toggle = (row: number, wants?: boolean): boolean => {
    const item = items[row]
    if (item?.type !== 'group' || item.isOpen === wants) return false
    onToggle(item.group)
    return true
  }
  const press = (row: number, column: number): void => {
    const item = items[row]
    if (item === undefined) return
    setActive({ row, column })
    if (column === 0) {
      if (item.type === 'group') toggle(row)
      else onOpen({ column: columns[0] ?? 0, kernel: item.kernel })
      return
    }
    const kernel = item.type === 'group' ? item.group.kernels[0] : item.kernel
    const cells = item.type === 'group' ? item.group.cells : item.cells
    const place = columns[column - 1] ?? -1
    if (kernel !== undefined && (cells[place] ?? -1) !== -1) onOpen({ column: place, kernel })
  }
  const keyDown = (event: KeyboardEvent): void => {
    const { row, column } = active
    const isFar = event.ctrlKey || event.metaKey
    switch (event.key) {
      case 'ArrowDown': go(row + 1, column); break
      case 'ArrowUp': go(row - 1, column); break
      // On a group's name they open and close it, as trees have it.
      case 'ArrowRight': if (column !== 0 || !toggle(row, true)) go(row, column + 1); break
      case 'ArrowLeft': if (column !== 0 || !toggle(row, false)) go(row, column - 1); break
      case 'PageDown': go(row + shown.page, column); break
      case 'PageUp': go(row - shown.page, column); break
      case 'Home': go(isFar ? 0 : row, 0); break
      case 'End': go(isFar ? items.length - 1 : row, width); break
      case 'Enter': case ' ': press(row, column); break
      default: return
    }
    event.preventDefault()
  }

  return (
    <div class={isCut ? 'matrix-frame cut' : 'matrix-frame'}>
      <div
        class='matrix' ref={scroller} role='treegrid' aria-label='Objects by kernels' aria-readonly='true'
        aria-rowcount={items.length + 1} aria-colcount={width + 1}
        style={{ '--columns': String(width), '--row': `${shown.rowHeight}px` }} onKeyDown={keyDown}
      >
        <div role='rowgroup' class='head' ref={head}>
          <div role='row' class='row' aria-rowindex={1}>
            <div role='columnheader' aria-colindex={1} class='first'>
              {isGrouped ? 'Kernels' : 'Kernel'}
              {width < matrix.columns.length && <span class='note'>{count(width)} of {counted(matrix.columns.length, 'object')}</span>}
            </div>
            {columns.map((column, i) => {
              const { name = '' } = matrix.columns[column] ?? {}
              return <div key={name} role='columnheader' aria-colindex={i + 2} class='column' title={name}>{name}</div>
            })}
          </div>
        </div>
        <div role='rowgroup' class='body' style={{ height: `${shown.height}px` }}>
          {rowsWith(shown.first, shown.end, active.row, items.length).map(at => {
            const item = items[at]
            return item === undefined
              ? null
              : (
                <Row
                  key={item.type === 'group' ? item.group.key : item.kernel}
                  item={item} at={at} top={at * shown.rowHeight} matrix={matrix} columns={columns} open={open}
                  active={at === active.row ? active.column : -1} onPress={press}
                />
                )
          })}
        </div>
      </div>
    </div>
  )
}

function Row ({ item, at, top, matrix, columns, open, active, onPress }: {
  readonly item: Item
  readonly at: number
  readonly top: number
  readonly matrix: MatrixModel
  readonly columns: readonly number[]
  readonly open: OpenCell | undefined
  /** The column that can be reached by Tab; -1 where the row has none. */
  readonly active: number
  readonly onPress: (row: number, column: number) => void
}) {
  const isGroup = item.type === 'group'
  const cells = isGroup ? item.group.cells : item.cells
  const kernels = isGroup ? item.group.kernels : [item.kernel]
  const described = useMemo(() => isGroup ? describeKernels(kernels) : '', [item])
  return (
    <div
      role='row' class={`row ${item.type}${!isGroup && item.level === 2 ? ' inner' : ''}`} style={{ top: `${top}px` }}
      aria-rowindex={at + 2} aria-level={isGroup ? 1 : item.level}
      {...isGroup ? { 'aria-expanded': item.isOpen } : { 'aria-posinset': item.position, 'aria-setsize': item.of }}
    >
      <div
        role='rowheader' aria-colindex={1} class='first' title={isGroup ? described : item.kernel} tabIndex={active === 0 ? 0 : -1}
        onClick={() => { onPress(at, 0) }}
      >
        {isGroup
          ? (
            <>
              <span class={item.isOpen ? 'twist open' : 'twist'}><Icon name='open' /></span>
              <span class='size'>{counted(kernels.length, 'kernel')}</span>
              <span class='names'>{described}</span>
            </>
            )
          : <KernelName kernel={item.kernel} />}
      </div>
      {columns.map((column, i) => (
        <Cell
          key={column} index={i} outcome={matrix.outcomes[cells[column] ?? -1]} isActive={active === i + 1}
          isOpen={open?.column === column && (isGroup ? !item.isOpen && kernels.includes(open.kernel) : open.kernel === item.kernel)}
          onPress={() => { onPress(at, i + 1) }}
        />
      ))}
    </div>
  )
}

function Cell ({ index, outcome, isActive, isOpen, onPress }: {
  readonly index: number
  readonly outcome: CheckOutcome | undefined
  readonly isActive: boolean
  readonly isOpen: boolean
  readonly onPress: () => void
}) {
  const places = outcome?.failures_total ?? 0
  return (
    <div
      role='gridcell' aria-colindex={index + 2} aria-selected={isOpen} class={isOpen ? 'cell open' : 'cell'}
      tabIndex={isActive ? 0 : -1} onClick={onPress}
    >
      {outcome === undefined ? <span class='waiting' aria-label='not known yet'>…</span> : <Mark look={LOOKS[outcome.state]} />}
      {places > 0 && (
        <span class='places' title={counted(places, 'place')}>{count(places)}<Hidden> {places === 1 ? 'place' : 'places'}</Hidden></span>
      )}
    </div>
  )
}

/** The release, which tells kernels apart, before the rest. */
export function KernelName ({ kernel }: { readonly kernel: string }) {
  const platform = platformOf(kernel)
  return (
    <>
      <span class='release'>{releaseOf(kernel)}</span>
      {platform !== '' && <span class='platform'>{platform}</span>}
    </>
  )
}

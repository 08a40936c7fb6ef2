import { useEffect, useRef, useState } from 'preact/hooks'
import type { ChosenObject } from '../api/objects.js'
import { bytes } from '../model/format.js'
import { Icon } from './icons.js'
import { Problem } from './problem.js'

/** Where objects are dropped or chosen, and which they are. */
export function Objects ({ objects, problem, onAdd, onRemove }: {
  readonly objects: readonly ChosenObject[]
  /** Why something that was dropped is not there. */
  readonly problem: string | undefined
  readonly onAdd: (files: readonly File[]) => void
  readonly onRemove: (id: number) => void
}) {
  const input = useRef<HTMLInputElement>(null)
  const list = useRef<HTMLUListElement>(null)
  const [isOver, setOver] = useState(false)
  // Wherever on the page they are dropped: beside the field the browser would open the file in the place of the page.
  useEffect(() => {
    const over = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes('Files') !== true) return
      event.preventDefault()
      setOver(true)
    }
    const leave = (event: DragEvent): void => { if (event.relatedTarget === null) setOver(false) }
    const drop = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes('Files') !== true) return
      event.preventDefault()
      setOver(false)
      onAdd([...event.dataTransfer.files])
    }
    document.addEventListener('dragover', over)
    document.addEventListener('dragleave', leave)
    document.addEventListener('drop', drop)
    return () => {
      document.removeEventListener('dragover', over)
      document.removeEventListener('dragleave', leave)
      document.removeEventListener('drop', drop)
    }
  }, [onAdd])
  const remove = (at: number, id: number): void => {
    onRemove(id)
    // The button that has the focus goes: the next one takes it, or the one that chooses files.
    queueMicrotask(() => {
      requestAnimationFrame(() => {
        const buttons = list.current?.querySelectorAll('button') ?? []
        const next = buttons[Math.min(at, buttons.length - 1)] ?? input.current
        next?.focus()
      })
    })
  }
  return (
    <section class='panel' aria-labelledby='objects-title'>
      <h2 id='objects-title'>Objects</h2>
      <div class={isOver ? 'drop over' : 'drop'}>
        <input
          ref={input} id='files' class='hidden' type='file' multiple accept='.o,.elf,application/octet-stream'
          onChange={event => {
            onAdd([...event.currentTarget.files ?? []])
            event.currentTarget.value = '' // so that the same file can be chosen again
          }}
        />
        <label for='files' class='button'><Icon name='add' />Choose objects</label>
        <span class='note'>or drop eBPF objects (<code>.bpf.o</code>) here</span>
      </div>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {objects.length > 0 && (
        <ul class='objects' ref={list}>
          {objects.map(({ id, name, file, sha256 }, i) => (
            <li key={id}>
              <Icon name='file' />
              <span class='name' title={sha256 === undefined ? name : `${name} (${sha256})`}>{name}</span>
              <span class='note'>{file === undefined ? 'held' : bytes(file.size)}</span>
              <button type='button' class='quiet small' aria-label={`Remove ${name}`} onClick={() => { remove(i, id) }}>
                <Icon name='close' />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

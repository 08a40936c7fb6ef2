import type { ComponentChild } from 'preact'
import { useState } from 'preact/hooks'
import type { TypeDefinition } from '../../src/wire/types.js'
import { getKernelTypes, getObjectTypes } from '../api/types.js'
import { compareEnumerators, compareMembers, type ComparedMember, type Mark, type NamedType, type Place } from '../model/compare-types.js'
import { formatOffset } from '../model/strip.js'
import { counted } from '../model/format.js'
import { Icon, type IconName } from './icons.js'
import { Problem } from './problem.js'
import { useService } from './service-context.js'
import type { Tone } from './state-mark.js'
import { useLoaded } from './use-loaded.js'

/** Rows before the rest is asked for. */
const FEW = 24

const WORDS: Readonly<Record<Mark | 'changed', string>> = {
  missing: 'missing here', moved: 'moved', resized: 'other size', retyped: 'other type', added: 'only here', changed: 'other value'
}

/** The type that the program was compiled with beside that of the kernel. */
export function ComparedType ({ named, member, detail, kernel, object }: {
  readonly named: NamedType
  readonly member: string | undefined
  /** Why there is no value. Members that it names are shown. */
  readonly detail: string | null
  readonly kernel: string
  readonly object: string
}) {
  const { send } = useService()
  const loaded = useLoaded(`${object} ${kernel} ${named.kind} ${named.name}`, async signal =>
    await Promise.all([getObjectTypes(send, object, named, signal), getKernelTypes(send, kernel, named, signal)]))
  const [at, setAt] = useState(0)
  if (loaded.state === 'loading') return <p class='note'>Loading {named.kind} {named.essential} …</p>
  if (loaded.state === 'failed') return <Problem>{loaded.message}</Problem>
  const [[compiled], theirs] = loaded.value
  const target = theirs[at]
  return (
    // No landmarks: several entries may be open that are about one type.
    <div class='compared' role='group' aria-label={`${named.kind} ${named.essential}`}>
      <h4><code>{named.kind} {named.essential}</code></h4>
      {theirs.length > 1 && (
        <label class='note'>This kernel has {theirs.length} types of this name:{' '}
          <select value={at} onChange={event => { setAt(Number(event.currentTarget.value)) }}>
            {theirs.map(({ type_id: id }, i) => <option key={id} value={i}>type {id}</option>)}
          </select>
        </label>
      )}
      {target === undefined
        ? <p class='note'>This kernel has no {named.kind} {named.essential}.</p>
        : named.kind === 'typedef'
          ? <Typedef compiled={compiled?.type} target={target.type} />
          : named.kind === 'enum'
            ? <Enumerators compiled={compiled} target={target} />
            : <Members compiled={compiled} target={target} member={member} detail={detail} name={named.name} />}
    </div>
  )
}

function Typedef ({ compiled = 'nothing', target = 'nothing' }: {
  readonly compiled?: string | undefined
  readonly target?: string | undefined
}) {
  return <p class='note'>Compiled with <code>{compiled}</code>; here it is <code>{target}</code>.</p>
}

function Members ({ compiled, target, member, detail, name }: {
  readonly compiled: TypeDefinition | undefined
  readonly target: TypeDefinition
  readonly member: string | undefined
  readonly detail: string | null
  readonly name: string
}) {
  const rows = compareMembers(compiled, target)
  // A program often declares only what it reads: what it does not know of is no difference that matters to it.
  const named = new Set(detail?.match(/\w+/g))
  const own = rows.filter(({ name, compiled }) => compiled !== undefined || named.has(name))
  const differing = own.length <= FEW ? own : own.filter(row => row.marks.length > 0 || row.name === member).slice(0, FEW)
  return (
    <Comparison
      label={`Members of ${name}`} noun='member' sizes={[sizeText(compiled), sizeText(target)]}
      rows={rows} few={rows.length <= FEW ? rows : differing}
    >
      {row => <MemberRow key={row.name} row={row} isMeant={row.name === member} />}
    </Comparison>
  )
}

function MemberRow ({ row, isMeant }: { readonly row: ComparedMember, readonly isMeant: boolean }) {
  const { name, compiled, kernel, marks } = row
  return (
    <tr class={`${toneOf(marks)} ${isMeant ? 'read' : ''}`}>
      <th scope='row'><code>{name}</code>{isMeant && <span class='note'>read here</span>}</th>
      <td>{compiled === undefined ? <span class='note'>–</span> : <PlaceText place={compiled} />}</td>
      <td>{kernel === undefined ? <span class='note'>–</span> : <PlaceText place={kernel} />}</td>
      <td><Marks marks={marks} /></td>
    </tr>
  )
}

function PlaceText ({ place: { type, bitOffset, bitSize, isBitfield } }: { readonly place: Place }) {
  const width = isBitfield && bitSize !== null ? ` : ${bitSize}` : ''
  return <><span class='offset number'>+{formatOffset(bitOffset, isBitfield)}</span> <code>{type}{width}</code></>
}

function Enumerators ({ compiled, target }: { readonly compiled: TypeDefinition | undefined, readonly target: TypeDefinition }) {
  const rows = compareEnumerators(compiled, target)
  return (
    <Comparison
      label='Enumerators' noun='enumerator'
      rows={rows} few={rows.filter(({ compiled }) => compiled !== undefined).slice(0, FEW)}
    >
      {({ name, compiled, kernel, marks }) => (
        <tr key={name} class={toneOf(marks)}>
          <th scope='row'><code>{name}</code></th>
          <td class='number'>{compiled ?? '–'}</td>
          <td class='number'>{kernel ?? '–'}</td>
          <td><Marks marks={marks} /></td>
        </tr>
      )}
    </Comparison>
  )
}

/** A table of what both have, of which a few rows are shown until all are asked for. */
function Comparison<T> ({ label, noun, sizes, rows, few, children }: {
  readonly label: string
  readonly noun: 'member' | 'enumerator'
  /** Of the whole type: as compiled, and in this kernel. */
  readonly sizes?: readonly [string, string]
  readonly rows: readonly T[]
  readonly few: readonly T[]
  readonly children: (row: T) => ComponentChild
}) {
  const [isWhole, setWhole] = useState(false)
  const shown = isWhole ? rows : few
  return (
    <>
      <div class='scroll' tabIndex={0} role='group' aria-label={label}>
        <table class='members'>
          <thead>
            <tr>
              <th scope='col'>{noun === 'member' ? 'Member' : 'Enumerator'}</th>
              <th scope='col'>Compiled with{sizes !== undefined && <span class='note'>{sizes[0]}</span>}</th>
              <th scope='col'>This kernel{sizes !== undefined && <span class='note'>{sizes[1]}</span>}</th>
              <th scope='col'>Difference</th>
            </tr>
          </thead>
          <tbody>{shown.map(row => children(row))}</tbody>
        </table>
      </div>
      {(isWhole || shown.length < rows.length) && (
        <button type='button' class='quiet' onClick={() => { setWhole(!isWhole) }}>
          {isWhole ? 'Only what the program was compiled with' : `All ${counted(rows.length, noun)}`}
        </button>
      )}
    </>
  )
}

function Marks ({ marks }: { readonly marks: ReadonlyArray<Mark | 'changed'> }) {
  const tone = toneOf(marks)
  return (
    <span class={`mark ${tone}`}>
      <Icon name={ICONS[tone]} /><span>{marks.length === 0 ? 'same' : marks.map(mark => WORDS[mark]).join(', ')}</span>
    </span>
  )
}

const ICONS: Readonly<Record<Tone, IconName>> = { good: 'loads', bad: 'fails', quiet: 'add', doubtful: 'warning' }

function toneOf (marks: ReadonlyArray<Mark | 'changed'>): Tone {
  if (marks.length === 0) return 'good'
  return marks.includes('missing') ? 'bad' : marks.includes('added') ? 'quiet' : 'doubtful'
}

function sizeText (type: TypeDefinition | undefined): string { return type?.size == null ? '' : counted(type.size, 'byte') }

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { loadKernels } from '../api/kernels.js'
import { addFiles, heldObject } from '../api/objects.js'
import { createSend, messageOf, Refusal } from '../api/request.js'
import { ALL_ROWS } from '../model/groups.js'
import { inOrder, listChoice, patternsOf, type KernelChoice } from '../model/kernel-choice.js'
import { readLink, writeLink, type View } from '../model/link.js'
import { Detail } from './detail.js'
import { count, counted } from '../model/format.js'
import { Header } from './header.js'
import { Icon } from './icons.js'
import { Kernels, type KernelsState } from './kernels.js'
import type { OpenCell } from './matrix.js'
import { Objects } from './objects.js'
import { Results } from './results.js'
import { ServiceContext, type PageService } from './service-context.js'
import { TokenField } from './token-field.js'
import { useAddress } from './use-address.js'
import { useCheck } from './use-check.js'
import { useMedia } from './use-media.js'
import { Welcome } from './welcome.js'

const linked = readLink(location.hash)
/** With room for three columns the detail stands beside the matrix, as the style sheet has it. */
const WIDE = '(min-width: 100rem) and (min-height: 34rem)'

/** The page: what is chosen on the left, what came of it beside it, and one cell of that in detail. */
export function App () {
  const [objects, setObjects] = useState(() => linked.objects.map(heldObject))
  const [dropProblem, setDropProblem] = useState<string | undefined>(undefined)
  const [kernels, setKernels] = useState<KernelsState>({ list: [], state: 'loading', problem: undefined })
  const [choice, setChoice] = useState<KernelChoice>(linked.kernels)
  const [rows, setRows] = useState(linked.rows)
  const [open, setOpen] = useState<OpenCell | undefined>(undefined)
  // A kernel that a link opens, and that its check does not have.
  const [lost, setLost] = useState<string | undefined>(undefined)
  const [said, setSaid] = useState('')
  const [waiting, setWaiting] = useState({ requests: 0, seconds: 0 })
  const [token, setToken] = useState<string | undefined>(undefined)
  const [tokenProblem, setTokenProblem] = useState<string | undefined>(undefined)
  const [showsToken, setShowsToken] = useState(false)
  const tokenNow = useRef(token)
  tokenNow.current = token
  const isWide = useMedia(WIDE)

  const service = useMemo<PageService>(() => ({
    send: createSend(() => tokenNow.current, seconds => {
      setWaiting(({ requests }) => ({ requests: requests + 1, seconds }))
      return () => { setWaiting(({ requests, seconds }) => ({ requests: requests - 1, seconds })) }
    }),
    // What is said again is told again: with something that nobody hears, it is another text.
    announce (text) { setSaid(before => before === text ? `${text}\u00a0` : text) },
    noteFailure (error) {
      if (!(error instanceof Refusal) || (error.status !== 401 && error.status !== 403)) return
      const why = tokenNow.current === undefined
        ? 'This service answers to those who have a token.'
        : `The service does not take this token. ${error.message}`
      setTokenProblem(error.status === 403 ? error.message : why)
    }
  }), [])
  const { run, start, stop, clear } = useCheck(service.send, service.noteFailure)

  const [reloads, setReloads] = useState(0)
  useEffect(() => {
    const leaving = new AbortController()
    setKernels({ list: [], state: 'loading', problem: undefined })
    loadKernels(service.send, leaving.signal, list => { setKernels({ list, state: 'loading', problem: undefined }) }).then(
      () => {
        setKernels(({ list }) => ({ list: inOrder(list), state: 'ready', problem: undefined }))
        setTokenProblem(undefined)
      },
      (error: unknown) => {
        if (leaving.signal.aborted) return
        service.noteFailure(error)
        setKernels(({ list }) => ({ list, state: 'failed', problem: messageOf(error) }))
      })
    return () => { leaving.abort() }
  }, [reloads])

  const listed = useMemo(() => listChoice(kernels.list, choice), [kernels.list, choice])
  const shown = choice.picked.length > 0 ? choice.picked.length : listed.length
  const check = (): void => {
    setOpen(undefined)
    setLost(undefined)
    start({ objects, patterns: patternsOf(kernels.list, choice), fetch: choice.offered }, objects.length * shown)
    // Where they are below what is chosen, nothing else that is in sight would change. Beside it this does nothing.
    requestAnimationFrame(() => { document.getElementById('results')?.scrollIntoView() })
  }

  // A link asks by itself, as soon as the kernels are known.
  const pending = useRef(linked.objects.length > 0)
  useEffect(() => {
    if (!pending.current || kernels.state !== 'ready') return
    pending.current = false
    if (shown > 0) check()
  }, [kernels.state])
  const wantedCell = useRef(linked.open)
  const cellOf = ({ sha256, kernel }: NonNullable<View['open']>): OpenCell | undefined => {
    const column = run?.matrix.columns.findIndex(column => column.sha256 === sha256) ?? -1
    return (run?.matrix.kernels.get(kernel)?.[column] ?? -1) === -1 ? undefined : { column, kernel }
  }
  useEffect(() => {
    const wanted = wantedCell.current
    if (wanted === undefined || run === undefined) return
    const cell = cellOf(wanted)
    if (cell === undefined && run.state !== 'done') return
    wantedCell.current = undefined
    setOpen(cell)
    if (cell === undefined) setLost(wanted.kernel)
  }, [run?.version])

  // What the service says of a file's hash is known from then on.
  const withHashes = useMemo(() => objects.map(object => {
    const column = run?.matrix.columns.find(({ name }) => name === object.name)
    return object.sha256 === undefined && column?.sha256 !== undefined ? { ...object, sha256: column.sha256 } : object
  }), [objects, run?.version])

  const linkOf = (): string => {
    const held = withHashes.flatMap(({ sha256, name }) => sha256 === undefined ? [] : [{ sha256, name }])
    const column = open === undefined ? undefined : run?.matrix.columns[open.column]
    const fragment = writeLink({
      objects: run === undefined ? [] : held, // before a check the service may not hold them
      kernels: choice,
      rows,
      open: open === undefined || column?.sha256 === undefined ? undefined : { sha256: column.sha256, kernel: open.kernel }
    })
    const address = new URL(location.href)
    address.hash = fragment
    return address.href
  }
  const showView = (view: View): boolean => {
    const isSame = view.objects.length === objects.length && view.objects.every(({ sha256 }, i) => withHashes[i]?.sha256 === sha256)
    if (run === undefined || !isSame) return false
    setChoice(view.kernels)
    setRows(view.rows)
    setOpen(view.open && cellOf(view.open))
    return true
  }
  useAddress(
    linkOf, !pending.current && wantedCell.current === undefined, showView,
    [withHashes, choice, rows, open, run?.state]
  )

  const forget = (): void => {
    clear()
    wantedCell.current = undefined
    setOpen(undefined)
    setLost(undefined)
    setRows(({ grouping }) => ({ ...ALL_ROWS, grouping }))
  }
  const add = (files: readonly File[]): void => {
    addFiles(files, objects).then(({ added, found, problem }) => {
      setDropProblem(problem)
      if (found.size > 0) setObjects(before => before.map(object => ({ ...object, file: object.file ?? found.get(object.id) })))
      const told = objects.filter(({ id }) => found.has(id)).map(({ name }) => `The file of ${name} is there.`)
      if (added.length > 0) {
        forget()
        setObjects(before => [...before, ...added])
        told.push(`${added.map(({ name }) => name).join(', ')} added.`)
      }
      if (told.length > 0) service.announce(told.join(' '))
    }, (error: unknown) => { setDropProblem(messageOf(error)) })
  }
  const useToken = (next: string | undefined): void => {
    setToken(next)
    setTokenProblem(undefined)
    setShowsToken(false)
    setReloads(reloads => reloads + 1)
  }

  const canCheck = objects.length > 0 && shown > 0 && kernels.state === 'ready'
  const opened = open === undefined ? undefined : withHashes.find(({ name }) => name === run?.matrix.columns[open.column]?.name)
  const asksToken = showsToken || tokenProblem !== undefined
  const isCovered = opened !== undefined && !isWide
  return (
    <ServiceContext.Provider value={service}>
      <a class='skip' href='#results' onClick={event => { event.preventDefault(); document.getElementById('results')?.focus() }}>
        Skip to the results
      </a>
      <div class={opened === undefined ? 'page' : 'page detailed'}>
        <Header
          hasToken={token !== undefined} isTokenShown={asksToken}
          onToken={() => { setShowsToken(shows => !shows) }} inert={isCovered}
        />
        {asksToken && <TokenField hasToken={token !== undefined} problem={tokenProblem} onToken={useToken} />}
        <main inert={isCovered}>
          <div class='choose'>
            <Objects
              objects={withHashes} problem={dropProblem} onAdd={add}
              onRemove={id => { forget(); setObjects(objects => objects.filter(object => object.id !== id)) }}
            />
            <Kernels
              kernels={kernels} choice={choice} listed={listed} chosen={shown} onChoice={setChoice}
              onReload={() => { setReloads(reloads => reloads + 1) }}
            />
            <div class='go'>
              {run?.state === 'running'
                ? <button type='button' class='primary' onClick={stop}><Icon name='stop' />Stop</button>
                : (
                  <button type='button' class='primary' disabled={!canCheck} onClick={check}>
                    {goText(objects.length, shown, kernels)}
                  </button>
                  )}
            </div>
          </div>
          <div class='answer' id='results' tabIndex={-1}>
            {run === undefined
              ? <Welcome hasObjects={objects.length > 0} />
              : (
                <Results
                  run={run} rows={rows} open={open} lost={lost} link={linkOf} onRows={setRows} onOpen={setOpen}
                  // The button that has the focus goes.
                  onStop={() => { stop(); document.getElementById('results')?.focus() }}
                />
                )}
          </div>
        </main>
        {open !== undefined && opened !== undefined && run !== undefined && (
          <Detail
            key={`${open.column} ${open.kernel}`}
            object={opened} kernel={open.kernel} run={run} column={open.column} kernels={kernels.list}
            isModal={!isWide} link={linkOf} onClose={() => { setOpen(undefined) }}
          />
        )}
        <div role='status' class='hidden'>{said}</div>
        <div role='status' class='waits'>
          {waiting.requests > 0 && <p>The service has no room now. It is asked again after {counted(waiting.seconds, 'second')}.</p>}
        </div>
      </div>
    </ServiceContext.Provider>
  )
}

/** What the button says: what it does, or why it cannot. */
function goText (objects: number, kernels: number, { state, list }: KernelsState): string {
  if (objects === 0) return 'Choose an object first'
  if (state !== 'ready') return `${count(list.length)} kernels so far …`
  return kernels === 0 ? 'Choose a kernel first' : `Check ${counted(objects, 'object')} on ${counted(kernels, 'kernel')}`
}

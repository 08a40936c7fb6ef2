import { useEffect, useRef, useState } from 'preact/hooks'
import type { Report } from '../../src/wire/report.js'
import type { ChosenObject } from '../api/objects.js'
import { makePatchSet } from '../api/patches.js'
import { getMinBtf, getRelocated } from '../api/relocation.js'
import { messageOf } from '../api/request.js'
import { count, counted } from '../model/format.js'
import { releaseOf } from '../model/groups.js'
import type { ListedKernel } from '../model/kernel-choice.js'
import { Icon } from './icons.js'
import { Problem } from './problem.js'
import { useService } from './service-context.js'
import type { CheckRun } from './use-check.js'
import { useProgress } from './use-progress.js'

/** Rows of which there is a result. */
const WITH_RESULT: ReadonlySet<string> = new Set(['loads', 'fails', 'unknown'])

/** What can be taken away: for this kernel, and for all kernels of the check. */
export function Downloads ({ object, kernel, report, run, column, kernels }: {
  readonly object: ChosenObject & { readonly sha256: string }
  readonly kernel: string
  readonly report: Report
  readonly run: CheckRun
  readonly column: number
  readonly kernels: readonly ListedKernel[]
}) {
  const { send, announce, noteFailure } = useService()
  const [busy, setBusy] = useState<{ readonly what: string, readonly progress: string } | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const progress = useProgress()
  const leaving = useRef(new AbortController())
  useEffect(() => () => { leaving.current.abort() }, [])

  const name = object.name.replace(/(?:\.bpf)?\.o$/, '')
  const release = releaseOf(kernel)
  const take = (what: string, file: string, make: () => Promise<Blob>): void => {
    setBusy({ what, progress: '' })
    setProblem(undefined)
    progress.begin()
    make().then(blob => {
      if (leaving.current.signal.aborted) return
      save(blob, file)
      announce(`${file} is saved.`)
    }).catch((error: unknown) => {
      if (leaving.current.signal.aborted) return
      noteFailure(error)
      setProblem(messageOf(error))
    }).finally(() => { setBusy(undefined) })
  }
  const { outcomes } = run.matrix
  const withResult = [...run.matrix.kernels]
    .filter(([, cells]) => WITH_RESULT.has(outcomes[cells[column] ?? -1]?.state ?? ''))
    .map(([name]) => name)
  const showProgress = (done: number): void => {
    const text = `${count(done)} of ${count(withResult.length)}`
    setBusy({ what: 'patches', progress: text })
    progress.tell(`${text} kernels.`)
  }
  const patchSet = async (file: File): Promise<Blob> => {
    const contents = new Map(kernels.map(({ reference, btfSha256 }) => [reference, btfSha256 ?? undefined]))
    const question = { object: { ...object, file }, kernels: withResult, btfOf: (kernel: string) => contents.get(kernel) }
    const set = await makePatchSet(send, question, leaving.current.signal, showProgress)
    return json(set)
  }
  const { file: own } = object
  const buttons: ReadonlyArray<readonly [what: string, label: string, file: string, make: (() => Promise<Blob>) | undefined]> = [
    ['object', 'Patched object', `${name}.${release}.bpf.o`, async () => await getRelocated(send, { object, kernel })],
    ['report', 'Report', `${name}.${release}.report.json`, async () => json(report)],
    ['btf', 'Small BTF', `${name}.${release}.btf`, async () => await getMinBtf(send, { object, kernel })],
    [
      'patches', `Patch set of ${counted(withResult.length, 'kernel')}`, `${name}.patches.json`,
      own === undefined ? undefined : async () => await patchSet(own)
    ]
  ]
  return (
    <section class='downloads' aria-label='Downloads'>
      <div class='line'>
        {buttons.map(([what, label, file, make]) => (
          <button
            // Not `disabled` while it works: the button would lose the focus.
            key={what} type='button' disabled={make === undefined} aria-disabled={busy !== undefined}
            {...make === undefined ? { 'aria-describedby': 'no-file' } : {}}
            onClick={() => { if (make !== undefined && busy === undefined) take(what, file, make) }}
          >
            <Icon name='download' />{busy?.what === what && busy.progress !== '' ? busy.progress : label}
          </button>
        ))}
      </div>
      {own === undefined && (
        <p class='note' id='no-file'>
          A patch set needs the object itself. A link has only its hash, and the service does not give objects back:{' '}
          choose {object.name} under Objects.
        </p>
      )}
      {problem !== undefined && <Problem>{problem}</Problem>}
    </section>
  )
}

function json (value: unknown): Blob { return new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' }) }

/** How long a browser may take to begin with a file that it was given. */
const KEPT_MS = 60_000

function save (blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => { URL.revokeObjectURL(address) }, KEPT_MS)
}

import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { CheckState } from '../../src/check/wire.js'
import type { ReportRelocation } from '../../src/wire/report.js'
import type { ChosenObject } from '../api/objects.js'
import { getReport } from '../api/relocation.js'
import { Refusal } from '../api/request.js'
import { counted } from '../model/format.js'
import type { ListedKernel } from '../model/kernel-choice.js'
import { CopyButton } from './copy-button.js'
import { Downloads } from './downloads.js'
import { Icon } from './icons.js'
import { KernelName } from './matrix.js'
import { Problem } from './problem.js'
import { Programs } from './programs.js'
import { Relocations } from './relocations.js'
import { ReportFacts } from './report-facts.js'
import { useService } from './service-context.js'
import { LOOKS, Mark } from './state-mark.js'
import type { CheckRun } from './use-check.js'
import { useLoaded } from './use-loaded.js'

/** States in which there is a result to look into. */
const RELOCATED: ReadonlySet<string> = new Set(['loads', 'fails', 'unknown', 'unresolvable'])

/** What to do where there is none. */
const ADVICE: Readonly<Partial<Record<CheckState, string>>> = {
  not_fetched: 'Check again with "Also what sources offer" to have it fetched.',
  unknown_kernel: 'Check again once the service has its BTF: from a source, an upload, or "corelo btf import".'
}

interface Opened {
  readonly object: ChosenObject
  readonly kernel: string
  readonly run: CheckRun
  readonly column: number
  readonly kernels: readonly ListedKernel[]
}

/** One object on one kernel. Takes the focus when it opens, and gives it back. */
export function Detail ({ object, kernel, run, column, kernels, isModal, link, onClose }: Opened & {
  /** Whether it covers the rest of the page. */
  readonly isModal: boolean
  readonly link: () => string
  readonly onClose: () => void
}) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    const before = document.activeElement
    title.current?.focus()
    return () => { if (before instanceof HTMLElement && before.isConnected) requestAnimationFrame(() => { before.focus() }) }
  }, [])
  const place = run.matrix.kernels.get(kernel)?.[column] ?? -1
  const outcome = run.matrix.outcomes[place]
  const alike = useMemo(() => [...run.matrix.kernels.values()].filter(cells => cells[column] === place).length, [run.version, place])
  return (
    // What is pressed within and takes no focus leaves it here, and not to the page behind, where Escape is not heard.
    <div
      class='detail' tabIndex={-1} role={isModal ? 'dialog' : 'region'} {...isModal ? { 'aria-modal': true } : {}}
      aria-labelledby='detail-title'
      onKeyDown={event => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        onClose()
      }}
    >
      <div class='detail-head'>
        <div>
          <p class='object'><Icon name='file' />{object.name}</p>
          <h2 id='detail-title' ref={title} tabIndex={-1}><KernelName kernel={kernel} /></h2>
        </div>
        <div class='line'>
          <CopyButton icon='link' label='Copy link' text={link} isQuiet />
          <button type='button' class='quiet' onClick={onClose}><Icon name='close' />Close</button>
        </div>
      </div>
      {outcome !== undefined && (
        <div class='verdict'>
          <Mark look={LOOKS[outcome.state]} />
          <p>{outcome.reason ?? LOOKS[outcome.state].meaning}</p>
          {alike > 1 && <p class='note'>The same on {counted(alike - 1, 'other kernel')} of this check.</p>}
        </div>
      )}
      {outcome !== undefined && RELOCATED.has(outcome.state)
        ? <WholeReport object={object} kernel={kernel} run={run} column={column} kernels={kernels} />
        : <p class='note'>{(outcome && ADVICE[outcome.state]) ?? 'There is no result to look into.'}</p>}
    </div>
  )
}

function WholeReport ({ object, kernel, run, column, kernels }: Opened) {
  const { send } = useService()
  const loaded = useLoaded(`${object.id} ${kernel}`, async signal => await getReport(send, { object, kernel }, signal))
  if (loaded.state === 'loading') return <p class='note' role='status'>Relocating for this kernel …</p>
  const sha256 = loaded.state === 'ready' ? loaded.value.object.sha256 : object.sha256
  if (loaded.state === 'failed') {
    const failing = relocationsOf(loaded.error)
    return (
      <>
        <Problem>{loaded.message}</Problem>
        {failing.length > 0 && sha256 !== undefined && <Relocations relocations={failing} kernel={kernel} object={sha256} />}
      </>
    )
  }
  const report = loaded.value
  return (
    <>
      <Downloads
        object={{ ...object, sha256: report.object.sha256 }} kernel={kernel} report={report} run={run} column={column}
        kernels={kernels}
      />
      <ReportFacts report={report} />
      <Relocations relocations={report.relocations} kernel={kernel} object={report.object.sha256} />
      <Programs programs={report.programs} />
    </>
  )
}

/** What `relocation_failed` says of each record that libbpf refuses. */
function relocationsOf (error: unknown): readonly ReportRelocation[] {
  const relocations = error instanceof Refusal ? error.problem['relocations'] : undefined
  return Array.isArray(relocations) ? relocations as readonly ReportRelocation[] : [] // of the service's own build
}

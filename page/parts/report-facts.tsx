import type { Report } from '../../src/wire/report.js'
import { bytes, count } from '../model/format.js'
import { Icon } from './icons.js'

/** What a report says of the whole. */
export function ReportFacts ({ report }: { readonly report: Report }) {
  const { counts, result, kernel, assumes, warnings } = report
  return (
    <section class='facts' aria-label='In numbers'>
      <dl>
        <Fact term='resolved'>{count(counts.resolved)}</Fact>
        <Fact term='absent'>{count(counts.absent)}</Fact>
        <Fact term='poisoned'>{count(counts.poisoned)}</Fact>
        <Fact term='changed instructions'>{count(result.changed_instructions)}</Fact>
        <Fact term='object'>{bytes(report.object.bytes)}</Fact>
        <Fact term='BTF from'>{kernel.source}</Fact>
        <Fact term='needs BTF on the node'>{report.loads_without_kernel_btf ? 'no' : 'yes'}</Fact>
      </dl>
      {assumes.length > 0 && (
        <p class='note'>
          The verdict rests on values that user space may change before it loads the object:{' '}
          {assumes.map(text => <code key={text}>{text}</code>)}
        </p>
      )}
      {warnings.map(({ code, message }) => <p key={code + message} class='warning'><Icon name='warning' /> {message}</p>)}
    </section>
  )
}

function Fact ({ term, children }: { readonly term: string, readonly children: string }) {
  return <div><dt>{term}</dt><dd>{children}</dd></div>
}

import type { RowChoice } from './groups.js'
import type { KernelChoice } from './kernel-choice.js'
import { STATES } from './matrix.js'

/** What a link reproduces. */
export interface View {
  /** Objects that the service holds. */
  readonly objects: ReadonlyArray<{ readonly sha256: string, readonly name: string }>
  readonly kernels: KernelChoice
  readonly rows: RowChoice
  /** The cell that is open. */
  readonly open: { readonly sha256: string, readonly kernel: string } | undefined
}

const HASH = /^sha256:[0-9a-f]{64}$/
/** A name of four parts, or one that stands for a pattern that nothing matches. */
const KERNEL = /^[A-Za-z0-9._+~*-]{1,128}(?:\/[A-Za-z0-9._+~*-]{1,128}){0,3}$/
const isKernel = (text: string): boolean => KERNEL.test(text) && !text.split('/').some(part => part === '.' || part === '..')
/** What a link may hold of each. The address stays shorter than what mail and chat cut off, but for who picks hundreds by hand. */
const MAX_OBJECTS = 128
const MAX_KERNELS = 2000
const MAX_OPEN = 100
export const MAX_TEXT = 256

/** The fragment of an address, without `#`. Empty for a view that has nothing. */
export function writeLink ({ objects, kernels, rows, open }: View): string {
  const parameters = new URLSearchParams()
  for (const { sha256, name } of objects.slice(0, MAX_OBJECTS)) parameters.append('object', `${sha256} ${name}`)
  if (kernels.text.trim() !== '') parameters.set('search', kernels.text.trim())
  for (const distro of kernels.distros) parameters.append('distro', distro)
  for (const arch of kernels.arches) parameters.append('arch', arch)
  for (const kernel of kernels.picked.slice(0, MAX_KERNELS)) parameters.append('kernel', kernel)
  if (kernels.offered) parameters.set('offered', 'true')
  if (rows.grouping === 'kernel') parameters.set('group', 'kernel')
  for (const state of rows.states) parameters.append('state', state)
  if (rows.text.trim() !== '') parameters.set('find', rows.text.trim())
  for (const kernel of [...rows.open].slice(0, MAX_OPEN)) parameters.append('expanded', kernel)
  if (open !== undefined) parameters.set('open', `${open.sha256} ${open.kernel}`)
  return parameters.toString().replaceAll('%3A', ':').replaceAll('%2F', '/')
}

/** The view of a link. What cannot be read of it is left out. */
export function readLink (fragment: string): View {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''))
  const objects = parameters.getAll('object').slice(0, MAX_OBJECTS).flatMap(text => {
    const [sha256 = '', ...name] = text.split(' ')
    return HASH.test(sha256) ? [{ sha256, name: name.join(' ').slice(0, 255) || sha256.slice(0, 19) }] : []
  })
  const [sha256 = '', kernel = ''] = (parameters.get('open') ?? '').split(' ')
  return {
    objects,
    kernels: {
      text: textIn(parameters, 'search'),
      distros: parameters.getAll('distro').filter(isKernel).slice(0, MAX_KERNELS),
      arches: parameters.getAll('arch').filter(isKernel).slice(0, MAX_KERNELS),
      picked: parameters.getAll('kernel').filter(isKernel).slice(0, MAX_KERNELS),
      offered: parameters.get('offered') === 'true'
    },
    rows: {
      grouping: parameters.get('group') === 'kernel' ? 'kernel' : 'outcome',
      states: new Set(STATES.filter(state => parameters.getAll('state').includes(state))),
      text: textIn(parameters, 'find'),
      open: new Set(parameters.getAll('expanded').filter(isKernel).slice(0, MAX_OPEN))
    },
    open: HASH.test(sha256) && isKernel(kernel) ? { sha256, kernel } : undefined
  }
}

function textIn (parameters: URLSearchParams, name: string): string { return (parameters.get(name) ?? '').slice(0, MAX_TEXT) }

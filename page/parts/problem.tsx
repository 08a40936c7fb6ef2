import type { ComponentChildren } from 'preact'
import { Icon } from './icons.js'

/** What went wrong, told at once to those who do not see it. */
export function Problem ({ children }: { readonly children: ComponentChildren }) {
  return <p class='problem' role='alert'><Icon name='warning' /> {children}</p>
}

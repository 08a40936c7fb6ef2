import { useEffect, useState } from 'preact/hooks'
import { Icon, type IconName } from './icons.js'
import { useService } from './service-context.js'

/** How long a button says that it has done what it does. */
const DONE_MS = 2000

/** Copies a text when it is pressed. */
export function CopyButton ({ text, label, icon = 'copy', isQuiet = false }: {
  readonly text: () => string
  readonly label: string
  readonly icon?: IconName
  readonly isQuiet?: boolean
}) {
  const { announce } = useService()
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle')
  useEffect(() => {
    if (state === 'idle') return
    const timer = setTimeout(() => { setState('idle') }, DONE_MS)
    return () => { clearTimeout(timer) }
  }, [state])
  const copy = (): void => {
    copyText(text()).catch(() => false).then(isCopied => {
      setState(isCopied ? 'copied' : 'failed')
      announce(isCopied ? 'Copied.' : 'The browser does not let this page copy.')
    }, () => {})
  }
  return (
    <button type='button' class={isQuiet ? 'quiet' : ''} onClick={copy}>
      <Icon name={state === 'copied' ? 'loads' : icon} />
      <span>{state === 'copied' ? 'Copied' : state === 'failed' ? 'Not copied' : label}</span>
    </button>
  )
}

/** On a page without TLS browsers give no clipboard, and let a selection be copied. */
async function copyText (text: string): Promise<boolean> {
  try {
    if (isSecureContext) {
      await navigator.clipboard.writeText(text)
      return true
    }
  } catch {
    // Refused; the other way may do.
  }
  const before = document.activeElement
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'hidden'
  document.body.append(field)
  field.select()
  const isCopied = document.execCommand('copy')
  field.remove()
  if (before instanceof HTMLElement) before.focus()
  return isCopied
}

import { useState } from 'preact/hooks'
import { Icon } from './icons.js'

/** Where a token is given. It is kept in memory, and gone with the page. */
export function TokenField ({ hasToken, problem, onToken }: {
  readonly hasToken: boolean
  /** Why the service asks for one; undefined where it does not. */
  readonly problem: string | undefined
  readonly onToken: (token: string | undefined) => void
}) {
  const [text, setText] = useState('')
  const submit = (event: Event): void => {
    event.preventDefault()
    const token = text.trim()
    if (token === '') return
    setText('')
    onToken(token)
  }
  return (
    <form class={problem === undefined ? 'token' : 'token asked'} onSubmit={submit} aria-label='Token'>
      {problem !== undefined && <p role='alert'><Icon name='key' /> {problem}</p>}
      <div class='line'>
        <label for='token'>Token of the service</label>
        <input
          id='token' type='password' autocomplete='off' spellcheck={false} value={text}
          onInput={event => { setText(event.currentTarget.value) }}
        />
        <button type='submit'>Use token</button>
        {hasToken && <button type='button' class='quiet' onClick={() => { onToken(undefined) }}>Forget token</button>}
      </div>
      <p class='note'>It is sent to this service alone, and kept until the page is closed or loaded again.</p>
    </form>
  )
}

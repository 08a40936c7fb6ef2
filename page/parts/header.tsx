import { Icon } from './icons.js'

export function Header ({ hasToken, isTokenShown, inert, onToken }: {
  readonly hasToken: boolean
  readonly isTokenShown: boolean
  readonly inert: boolean
  readonly onToken: () => void
}) {
  return (
    <header class='top' inert={inert}>
      <h1>corelo</h1>
      <p class='tagline'>On which of your kernels does this eBPF object load?</p>
      <nav aria-label='More'>
        <button type='button' class='quiet' aria-expanded={isTokenShown} onClick={onToken}>
          <Icon name='key' />{hasToken ? 'Token in use' : 'Token'}
        </button>
        <a href='docs'>API</a>
      </nav>
    </header>
  )
}

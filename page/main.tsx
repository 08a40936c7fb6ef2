import { render } from 'preact'
import { App } from './parts/app.js'

const place = document.getElementById('page')
if (place !== null) render(<App />, place)
// The page itself replaces its address without this event: somebody has entered another one.
addEventListener('hashchange', () => { location.reload() })

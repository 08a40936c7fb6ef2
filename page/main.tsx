import { render } from 'preact'
import { App } from './parts/app.js'

const place = document.getElementById('page')
if (place !== null) render(<App />, place)

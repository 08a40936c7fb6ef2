/**
 * The page's style: as narrow as 320 pixels, light or dark as the reader has it, colours with a contrast of 4.5 to 1 at least. On
 * paper everything is open, and nothing is cut.
 */
export const STYLE = `
:root { color-scheme: light dark; --good: #0b6b2e; --bad: #a4161a; --open: #6b4e00; --line: #c8c8c8; --soft: #f4f4f4 }
@media (prefers-color-scheme: dark) { :root { --good: #7ddf9b; --bad: #ff9b9b; --open: #f0cf6b; --line: #4a4a4a; --soft: #262626 } }
* { box-sizing: border-box }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText }
main { max-width: 80rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; overflow-wrap: anywhere; margin-top: 2rem }
h3 { font-size: 1rem; margin: 0 0 .25rem }
article { border: 1px solid var(--line); border-radius: .4rem; padding: .75rem; margin: .75rem 0 }
li, .kernel, summary { overflow-wrap: anywhere }
ol { padding-left: 1.5rem }
.kernels { max-height: 20rem; overflow: auto }
pre { background: var(--soft); padding: .5rem; margin: .25rem 0; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4 }
code { font: .875rem/1.4 ui-monospace, monospace }
.matrix { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-size: .875rem }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: left; white-space: nowrap }
th { font-weight: 600 }
tbody th { font-weight: 400 }
.loads { color: var(--good) }
.fails, .unresolvable, .alert { color: var(--bad); font-weight: 600 }
.unknown, .unknown_kernel, .not_fetched, .error, .warning { color: var(--open) }
.known { font-weight: 400; font-style: italic }
@media print {
  article { break-inside: avoid-page }
  .kernels { max-height: none; overflow: visible }
  details::details-content { content-visibility: visible; block-size: auto }
}
`

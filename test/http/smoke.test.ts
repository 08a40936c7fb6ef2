import { test } from 'vitest'
import { startApp, form } from './harness.js'
test('smoke', async () => {
  const t = performance.now()
  const h = await startApp()
  console.log('start', performance.now() - t)
  const object = Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(30000, 1)])
  for (const accept of ['*/*', 'application/json', 'multipart/form-data', 'text/html']) {
    const r = await h.request('/relocate', { method: 'POST', body: form({ object, kernel_release: '5.4.0-42-generic', modules: 'a,b' }), headers: { accept } })
    console.log(r.status, Object.fromEntries(r.headers), accept === '*/*' ? '' : (await r.text()).slice(0, 1500))
  }
  for (const [p, i] of [['/nope'], ['/relocate'], ['/livez'], ['/readyz'], ['/kernels?limit=1'], ['/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic'], ['/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic/btf', { method: 'HEAD' }], ['/docs'], ['/kernels?x=1'], ['/kernels?limit=1&limit=2'], ['/kernels?limit=abc'], ['/%zz'], ['/docs/'], ['/metrics']] as [string, any][]) {
    const r = await h.request(p, i)
    console.log(p, r.status, Object.fromEntries(r.headers), (await r.text()).slice(0, 600))
  }
  console.log(h.logged)
})

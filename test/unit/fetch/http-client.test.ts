import { expect, it, onTestFinished } from 'vitest'
import { createHttpClient } from '../../../src/fetch/http-client.js'
import { startLoopbackServer } from '../../support/loopback-server.js'

it('a request that may take longer than others is not cut off at their limit', async () => {
  let asked = 0
  const server = await startLoopbackServer((_, response) => {
    response.write('slow ')
    if (++asked > 1) setTimeout(() => { response.end('but whole') }, 200)
  })
  const url = new URL(server.url)
  const client = createHttpClient({ origins: [url], limits: { totalMs: 100, tries: 1 } })
  onTestFinished(() => client.close())
  const signal = AbortSignal.timeout(60_000)
  expect(await client.get({ url, maxBytes: 100, signal })).toMatchObject({ state: 'timeout' })
  const answer = await client.get({ url, maxBytes: 100, signal, totalMs: 60_000 })
  expect(answer).toMatchObject({ state: 'ok', bytes: new Uint8Array(Buffer.from('slow but whole')) })
})

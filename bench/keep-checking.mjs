import { parentPort, workerData } from 'node:worker_threads'
import { check } from './check-client.mjs'

/** Checks one after the other, each of objects that no check has had before, so that nothing of it is known; until a message comes. */
const { address, files } = workerData
const leaving = new AbortController()
const { signal } = leaving
parentPort.once('message', () => { leaving.abort() })
for (let serial = 0; !signal.aborted; serial++) {
  await check(address, files, { serial, signal }).catch(error => { if (!signal.aborted) throw error })
}

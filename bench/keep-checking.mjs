import { constants, setPriority } from 'node:os'
import { check } from './check-client.mjs'

/**
 * Checks one after the other, each of objects that no check has had before, so that nothing of it is known; until a message comes. It is a
 * process of its own, and of low priority: who reads the answers has another machine than the service.
 */
setPriority(constants.priority.PRIORITY_LOW)
const [address, ...files] = process.argv.slice(2)
const leaving = new AbortController()
const { signal } = leaving
process.once('message', () => { leaving.abort() })
let serial = 0
for (; !signal.aborted; serial++) {
  await check(address, files, { serial, signal }).catch(error => { if (!signal.aborted) throw error })
}
process.send(serial)
process.disconnect()

import type { Socket } from 'node:net'

/** How long a caller may go on sending after an answer that did not wait for all of its request, and how much. */
const LINGER_MS = 5_000
const LINGER_BYTES = 64 * 1024 * 1024

/**
 * Has a connection closed, once its answer is written, in the way that lets a caller who is still sending read that answer: to
 * close at once would make its kernel throw the answer away with the reset. What still comes is dropped as it is, without
 * being read as HTTP, whose chunks of one byte would cost the event loop as much as real work; and only for a while.
 *
 * The answer must say `connection: close`.
 */
export function closeAfterAnswer (socket: Socket): void {
  socket.destroySoon = () => { linger(socket) } // what Node's server calls when such an answer is written
}

function linger (socket: Socket): void {
  let left = LINGER_BYTES
  const end = (): void => { socket.destroy() }
  const timer = setTimeout(end, LINGER_MS).unref()
  socket.removeAllListeners('data') // the HTTP parser's
  socket.on('data', (bytes: Buffer) => {
    left -= bytes.length
    if (left < 0) end()
  })
  socket.once('end', end)
  socket.once('error', end)
  socket.once('close', () => { clearTimeout(timer) })
  socket.end()
  socket.resume()
}

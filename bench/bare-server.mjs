import multipart from '@fastify/multipart'
import Fastify from 'fastify'

/** The measure for the service's own cost: Fastify that takes an upload and sends the same bytes back. */
const app = Fastify({ bodyLimit: 16 * 1024 * 1024 })
await app.register(multipart)
app.addContentTypeParser(['application/octet-stream', 'application/x-elf'], { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body))
app.post('/relocate', async (request, reply) => {
  let object = request.body
  if (request.isMultipart()) {
    for await (const part of request.parts()) {
      if (part.type === 'file') object = await part.toBuffer()
    }
  }
  return reply.type('application/x-elf').send(object)
})
const address = await app.listen({ port: 0, host: '127.0.0.1' })
console.log(address)
process.on('SIGINT', () => { app.close().then(() => process.exit(0)) })

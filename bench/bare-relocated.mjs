import Fastify from 'fastify'

/** The measure for GET /relocated: Fastify that sends the same bytes and headers, which it takes from the address it is given. */
const answer = await fetch(process.argv[2])
const bytes = Buffer.from(await answer.arrayBuffer())
const OF_THE_CONNECTION = ['connection', 'content-length', 'date', 'keep-alive']
const headers = Object.fromEntries([...answer.headers].filter(([name]) => !OF_THE_CONNECTION.includes(name)))
const app = Fastify()
app.get('/relocated/:object/:btf', async (request, reply) => {
  reply.headers(headers)
  return request.headers['if-none-match'] === headers.etag ? reply.code(304).send() : reply.send(bytes)
})
console.log(await app.listen({ port: 0, host: '127.0.0.1' }))
process.on('SIGINT', () => { app.close().then(() => process.exit(0)) })

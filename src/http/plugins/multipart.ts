import multipart from '@fastify/multipart'
import fp from 'fastify-plugin'

/** Forms, part by part as they arrive. What a part may hold is checked by who reads it, so that errors name the part and the limit. */
export const multipartPlugin = fp(async app => {
  await app.register(multipart, { throwFileSizeLimit: false, limits: { fileSize: Infinity } })
})

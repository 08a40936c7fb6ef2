import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSecrets, signedHeaders } from '../../../src/watch/signature.js'
import { failure, temporaryFolder } from '../service/lab.js'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

async function secretsIn (text: string): Promise<readonly Buffer[]> {
  const path = join(await temporaryFolder(), 'secret')
  await writeFile(path, text)
  return await readSecrets(path)
}

describe('the signature of a message', () => {
  it('is that of the example which the libraries of Standard Webhooks are tested with', async () => {
    expect(signedHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}', await secretsIn(SECRET))).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    })
  })

  it('is there by each secret while one is being replaced', async () => {
    const other = `whsec_${Buffer.alloc(64, 7).toString('base64')}`
    const secrets = await secretsIn(`${SECRET}\n${other}\r\n\n`)
    const { 'webhook-signature': signatures = '' } = signedHeaders(
      'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}', secrets
    )
    expect(signatures).toMatch(/^v1,g0hM9SsE\+OTPJTGt\/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,[A-Za-z0-9+/]{43}=$/)
  })

  it.each([
    ['nothing', ''],
    ['no prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    ['too little', `whsec_${Buffer.alloc(23, 1).toString('base64')}`],
    ['too much', `whsec_${Buffer.alloc(65, 1).toString('base64')}`],
    ['no base64', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_'],
    ['too many', `${SECRET}\n`.repeat(9)]
  ])('needs a secret: %s is none, and what is in the file is not shown', async (_, text) => {
    const error = await failure('invalid_request', secretsIn(text))
    expect(error.message).toContain('whsec_ and base64 of 24 to 64 random bytes')
    expect(error.message).not.toContain('MfKQ')
  })

  it('needs a file that is there', async () => {
    expect((await failure('invalid_request', readSecrets('/nowhere/secret'))).message).toContain(
      'CORELO_WEBHOOK_SECRET_FILE names /nowhere/secret, which cannot be read'
    )
  })
})

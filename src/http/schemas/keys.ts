import { Type, type Static } from 'typebox'
import type * as wire from '../../wire/keys.js'
import type { Same } from './same.js'

export const Envelope = Type.Object({
  payload: Type.String({ description: 'An in-toto statement, in base64.' }),
  payloadType: Type.Literal('application/vnd.in-toto+json'),
  signatures: Type.Array(Type.Object({
    keyid: Type.String({ description: '`kid` of the key.' }),
    sig: Type.String({ description: 'Ed25519, in base64.' })
  }))
}, {
  $id: 'Envelope',
  description: 'DSSE. The statement has the digest of the relocated object as its subject, ' +
    'and names the object, the BTF, the kernel and the engine.'
})

export const Jwks = Type.Object({
  keys: Type.Array(Type.Object({
    kty: Type.Literal('OKP'),
    crv: Type.Literal('Ed25519'),
    x: Type.String({ description: 'The public key, in base64url.' }),
    kid: Type.String({ description: 'RFC 7638 thumbprint.' }),
    alg: Type.Literal('EdDSA'),
    use: Type.Literal('sig'),
    exp: Type.Optional(Type.Integer({ description: 'Second since 1970 from which on nothing is to be believed that the key signed.' }))
  }))
}, { $id: 'Jwks', description: 'RFC 7517. The first key signs; more than one are there while they are being rotated.' })

true satisfies Same<Static<typeof Jwks>, wire.Jwks>
true satisfies Same<Omit<Static<typeof Envelope>, 'payloadType'>, Omit<wire.EnvelopeJson, 'payloadType'>>

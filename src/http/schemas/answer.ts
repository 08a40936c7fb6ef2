import { Type } from 'typebox'
import { binary, NOT_MODIFIED } from './content.js'
import { sha256 } from './fields.js'

const text = (description: string, example: string) => Type.String({ description, examples: [example] })

const headers = {
  ETag: text('The hash of the result, for If-None-Match.', '"sha256:e3b0c442…"'),
  'Content-Digest': text('RFC 9530.', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'),
  'Repr-Digest': text('RFC 9530.', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'),
  'Content-Location': text('Where the same bytes can be had for ever.', '/relocated/sha256:…/sha256:…'),
  'Corelo-Object': sha256('The object as it was sent.'),
  'Corelo-Btf': sha256('The BTF that was relocated against.'),
  'Corelo-Kernel': text('The kernel; `none` where only content was named.', 'ubuntu/20.04/x86_64/5.4.0-42-generic'),
  'Corelo-Verdict': text('`loads`, `fails` or `unknown`.', 'loads'),
  'Corelo-Relocations': text('How many there were of each outcome.', 'resolved=12, absent=3, poisoned=0'),
  'Corelo-Attestation': text(
    'A DSSE envelope in base64: an in-toto statement about the relocated object, ' +
    'signed with a key of /.well-known/corelo-keys.json. Missing where the object came relocated.',
    'eyJwYXlsb2FkIjoi…'),
  'Server-Timing': text('Milliseconds in each step.', 'resolve;dur=0.1, fetch;dur=0, parse;dur=0, relocate;dur=1.2')
}

/** The good answers of a relocation. */
export function answered (description: string): Record<number, object> {
  return {
    200: {
      description,
      headers,
      content: {
        'application/x-elf': binary,
        'application/octet-stream': binary,
        'application/json': { schema: Type.Ref('Report') },
        'multipart/form-data': {
          schema: Type.Object({
            report: Type.Ref('Report'),
            object: binary.schema,
            attestation: Type.Optional(Type.Ref('Envelope'))
          })
        }
      }
    },
    304: NOT_MODIFIED
  }
}

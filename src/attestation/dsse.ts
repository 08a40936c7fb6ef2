import type { EnvelopeJson } from '../wire/keys.js'

/**
 * A signed message as DSSE writes it: `{ payload, payloadType, signatures: [{ keyid, sig }] }`, payload and signatures in base64.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md
 */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Buffer
  readonly signatures: ReadonlyArray<{ readonly keyid: string, readonly sig: Buffer }>
}

/** Much more than an envelope of ours has: about a kilobyte. In characters. */
const MAX_ENVELOPE = 64 * 1024
/** One each of the keys that are there while one is being rotated, and some to spare. Each costs a verification. */
const MAX_SIGNATURES = 8

/**
 * What a DSSE signature is made of, so that a payload cannot be taken for one of another type:
 *
 *     PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body       (lengths in bytes, ASCII decimal)
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export function preAuthEncoding (payloadType: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `), payload])
}

export function serializeEnvelope ({ payloadType, payload, signatures }: Envelope): string {
  const json: EnvelopeJson = {
    payload: payload.toString('base64'),
    payloadType,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') }))
  }
  return JSON.stringify(json)
}

/** The envelope that a text holds; undefined where it is none. Members that DSSE does not know are ignored, as it asks. */
export function parseEnvelope (text: string): Envelope | undefined {
  if (text.length > MAX_ENVELOPE) return undefined
  const json = parseJson(text)
  const payload = fromBase64(memberOf(json, 'payload'))
  const payloadType = memberOf(json, 'payloadType')
  const listed = memberOf(json, 'signatures')
  if (payload === undefined || typeof payloadType !== 'string' || !Array.isArray(listed) || listed.length > MAX_SIGNATURES) return undefined
  const signatures = listed.flatMap((item: unknown) => {
    const sig = fromBase64(memberOf(item, 'sig'))
    const keyid = memberOf(item, 'keyid') ?? ''
    return sig === undefined || typeof keyid !== 'string' ? [] : [{ keyid, sig }]
  })
  return signatures.length === listed.length ? { payloadType, payload, signatures } : undefined
}

/** The value that a JSON text stands for; undefined where it is no JSON. */
export function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A member of a JSON object; undefined where it is no object, or has no such member of its own. */
export function memberOf (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

/** DSSE allows the alphabet of URLs too. Node's decoder takes both, and skips what is in neither, so that is checked here. */
function fromBase64 (value: unknown): Buffer | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value) ? Buffer.from(value, 'base64') : undefined
}

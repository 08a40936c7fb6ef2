import { AppError } from '../../errors.js'

/** A place in a bucket, and who asks. */
export interface S3Settings {
  readonly bucket: string
  /** Before every key, without a slash at either end. May be empty. */
  readonly prefix: string
  readonly region: string
  /** Another S3 than Amazon's. Buckets are then part of the path. */
  readonly endpoint?: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** The longest wait for the first byte of an answer, in milliseconds: the most that an outage adds to a request. Undefined: 500. */
  readonly firstByteMs?: number
}

/** Amazon's rules for the names of buckets; prefixes that need no escaping anywhere. */
const LOCATION = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]{0,256}))?$/

/** Whether a text is `s3://bucket/prefix`. */
export function isS3Location (text: string): boolean { return LOCATION.test(text) }

/**
 * The settings of a shared store: its place, and the variables that all tools for S3 read. Only keys in the environment are
 * used: no profile files, and no credentials that a machine gives to whoever asks.
 *
 * @throws AppError `invalid_request` whose sentence names the variable at fault
 */
export function readS3Settings (location: string, env: Readonly<Record<string, string | undefined>>): S3Settings {
  const [, bucket, prefix = ''] = LOCATION.exec(location) ?? []
  if (bucket === undefined) {
    throw invalid('CORELO_SHARED_STORE', `CORELO_SHARED_STORE must be s3://bucket/prefix, not ${JSON.stringify(location)}.`)
  }
  const given = (name: string): string | undefined => env[name] === '' ? undefined : env[name]
  const required = (name: string): string => {
    const value = given(name)
    if (value === undefined) throw invalid(name, `CORELO_SHARED_STORE needs credentials; set ${name}.`)
    return value
  }
  const endpoint = given('AWS_ENDPOINT_URL_S3') ?? given('AWS_ENDPOINT_URL')
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol))) {
    throw invalid('AWS_ENDPOINT_URL_S3',
      `AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) must be an http or https address, not ${JSON.stringify(endpoint)}.`)
  }
  const sessionToken = given('AWS_SESSION_TOKEN')
  return {
    bucket,
    prefix: prefix.split('/').filter(part => part !== '').join('/'),
    region: given('AWS_REGION') ?? given('AWS_DEFAULT_REGION') ?? 'us-east-1',
    accessKeyId: required('AWS_ACCESS_KEY_ID'),
    secretAccessKey: required('AWS_SECRET_ACCESS_KEY'),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(sessionToken === undefined ? {} : { sessionToken })
  }
}

/** The address of the bucket, with a slash at its end. A name with dots fits no certificate as a part of the host. */
export function bucketUrl ({ bucket, region, endpoint }: S3Settings): URL {
  if (endpoint !== undefined) return new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/`)
  return bucket.includes('.')
    ? new URL(`https://s3.${region}.amazonaws.com/${bucket}/`)
    : new URL(`https://${bucket}.s3.${region}.amazonaws.com/`)
}

function invalid (setting: string, message: string): AppError { return new AppError('invalid_request', message, { setting }) }

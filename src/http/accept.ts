import { AppError } from '../errors.js'

/**
 * The media type to answer with: the one of `offers` that the Accept header gives the highest quality, the earlier one where
 * several share it. Without a header anything is accepted.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 * @throws AppError `not_acceptable`
 */
export function negotiate<Offer extends string> (header: string | undefined, offers: readonly [Offer, ...Offer[]]): Offer {
  if (header === undefined || header === '*/*' || header === '') return offers[0]
  const ranges = parseAccept(header)
  let best: Offer | undefined
  let bestQuality = 0
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges)
    if (quality > bestQuality) {
      best = offer
      bestQuality = quality
    }
  }
  if (best === undefined) {
    throw new AppError('not_acceptable',
      `This address answers with ${offers.join(', ')}; none of them is in the Accept header.`,
      { available: offers })
  }
  return best
}

/**
 * Whether an Accept-Encoding header takes gzip. Without one nothing is compressed: who sends none may be a tool that decodes nothing.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 */
export function acceptsGzip (header = ''): boolean {
  const codings = new Map(header.split(',').map(element => {
    const [coding = '', ...parameters] = partsOf(element)
    return [coding, qualityIn(parameters)]
  }))
  return (codings.get('gzip') ?? codings.get('x-gzip') ?? codings.get('*') ?? 0) > 0
}

/** An element of a list, without case: what is accepted, and its parameters. */
function partsOf (element: string): string[] { return element.split(';').map(part => part.trim().toLowerCase()) }

interface Range { readonly type: string, readonly subtype: string, readonly quality: number }

function parseAccept (header: string): Range[] {
  return header.split(',').flatMap(element => {
    const [range = '', ...parameters] = partsOf(element)
    const [type, subtype, more] = range.split('/')
    if (type === undefined || type === '' || subtype === undefined || subtype === '' || more !== undefined) return []
    return [{ type, subtype, quality: qualityIn(parameters) }]
  })
}

/** The weight; one that cannot be read counts as 0, so that it never wins against what was plainly asked for. */
function qualityIn (parameters: readonly string[]): number {
  const weight = parameters.find(parameter => parameter.startsWith('q='))
  if (weight === undefined) return 1
  return /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight.slice(2)) : 0
}

/** 2 where a range is this very type, 1 where it takes all subtypes, 0 where it takes anything; -1 where it does not match. */
function specificityOf (range: Range, type: string | undefined, subtype: string | undefined): number {
  if (range.type === '*') return range.subtype === '*' ? 0 : -1
  if (range.type !== type) return -1
  if (range.subtype === '*') return 1
  return range.subtype === subtype ? 2 : -1
}

/** The quality of the most specific range that matches. */
function qualityOf (offer: string, ranges: readonly Range[]): number {
  const [type, subtype] = offer.split('/')
  let quality = 0
  let bestSpecificity = -1
  for (const range of ranges) {
    const specificity = specificityOf(range, type, subtype)
    if (specificity > bestSpecificity) {
      bestSpecificity = specificity
      quality = range.quality
    }
  }
  return quality
}

/** The media type of a Content-Type header, without parameters; undefined where there is no header. */
export function mediaTypeOf (header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const end = header.indexOf(';')
  return (end === -1 ? header : header.slice(0, end)).trim().toLowerCase()
}

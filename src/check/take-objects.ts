import { AppError } from '../errors.js'
import { objectsUnknown } from '../relocation/objects.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { withDistinctNames } from './distinct-names.js'
import type { NamedObject } from './types.js'

/** An object as it was sent: by content or by hash. */
export interface GivenObject {
  readonly name?: string | undefined
  readonly content: Uint8Array | Sha256
}

/** Its bytes are in shared memory. */
type TakenObject = Pick<NamedObject, 'bytes' | 'warning'>

export interface TakeObjectsOptions {
  /** Puts an object that came into shared memory, after it was found to be one. */
  readonly take: (bytes: Uint8Array, hash: Sha256) => Promise<TakenObject>
  /** An object that is held. */
  readonly get: (hash: Sha256) => Promise<TakenObject>
}

interface BrokenObject extends Pick<NamedObject, 'sha256' | 'name'> {
  readonly error: AppError
}

/**
 * The objects of a check, each content once.
 *
 * @throws AppError `object_invalid` that names every object that cannot be read, or else `object_unknown` that names every one that is
 * not held: whoever sends sixty wants to mend all in one go; whatever `take` and `get` throw otherwise
 */
export async function takeObjects (given: readonly GivenObject[], { take, get }: TakeObjectsOptions): Promise<NamedObject[]> {
  const taken = new Map<Sha256, NamedObject>()
  const broken: BrokenObject[] = []
  const unknown = new Set<Sha256>()
  for (const { name: givenName, content } of given) {
    const hash = typeof content === 'string' ? content : sha256(content)
    if (taken.has(hash)) continue
    const name = givenName ?? hash
    try {
      taken.set(hash, { sha256: hash, name, ...typeof content === 'string' ? await get(hash) : await take(content, hash) })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      if (error.code === 'object_invalid') broken.push({ sha256: hash, name, error })
      else if (error.code === 'object_unknown') unknown.add(hash)
      else throw error
    }
  }
  const objects = [...taken.values()]
  if (broken.length > 0) throw unreadable(withDistinctNames<BrokenObject | NamedObject>([...broken, ...objects]).filter(isBroken))
  if (unknown.size > 0) throw objectsUnknown([...unknown])
  return withDistinctNames(objects)
}

function isBroken (object: BrokenObject | NamedObject): object is BrokenObject { return 'error' in object }

/** The facts of the first are the error's own; `objects` has those of each. */
function unreadable (broken: readonly BrokenObject[]): AppError {
  const lines = broken.map(({ name, error }) => `${name}: ${error.message}`)
  const [first] = broken
  return new AppError('object_invalid',
    lines.length === 1 ? lines.join() : [`${lines.length} objects cannot be read:`, ...lines].join('\n'),
    {
      ...first?.error.details,
      object: first?.name,
      objects: broken.map(({ sha256, name, error }) => ({ ...error.details, object: name, object_sha256: sha256, detail: error.message }))
    },
    { cause: first?.error })
}

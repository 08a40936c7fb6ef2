import { LRUCache } from 'lru-cache'
import { AppError } from '../errors.js'
import { sha256, type Sha256 } from '../store/sha256.js'

/** Lists that are remembered. Of 512 modules each they take 20 MB. */
const MAX_LISTS = 500

const lists = new LRUCache<Sha256, readonly Sha256[]>({ max: MAX_LISTS })

/** The digest that stands for a list of modules: that of the hashes, separated by commas. The attestation names the list so too. */
export function nameModuleList (modules: readonly Sha256[]): Sha256 {
  const name = sha256(modules.join(','))
  if (lists.get(name) === undefined) lists.set(name, [...modules])
  return name
}

/** @throws AppError `btf_unknown` where this process does not remember the list */
export function moduleListOf (name: Sha256): readonly Sha256[] {
  const modules = lists.get(name)
  if (modules !== undefined) return modules
  throw new AppError('btf_unknown',
    `The service does not remember the list of modules ${name}; send the hashes as modules, or POST the relocation again.`,
    { module_list: name })
}

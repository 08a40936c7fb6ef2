import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Service } from '../../service/types.js'
import type { Config } from '../config.js'
import type { HeldAddresses } from '../held-addresses.js'
import type { UploadBudget } from '../upload.js'

/** What every route needs. */
export interface Dependencies {
  readonly service: Service
  readonly config: Config
  readonly uploads: UploadBudget
  /** Where it is noted which addresses have a held result. */
  readonly addresses: HeldAddresses
}

/** One resource: a scope of its own, so that what it takes as a body does not reach others. */
export type Routes = FastifyPluginAsyncTypebox<Dependencies & Record<never, never>>

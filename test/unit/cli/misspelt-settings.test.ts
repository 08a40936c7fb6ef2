import { describe, expect, it } from 'vitest'
import { findMisspelt } from '../../../src/cli/misspelt-settings.js'
import { VARIABLES } from '../../../src/settings/listed-settings.js'

describe('a variable of the environment', () => {
  it.each([
    [
      'CORELO_CACH_DIR', 'CORELO_CACHE_DIR'
    ], ['CORELO_BTFHUB_DIRS', 'CORELO_BTFHUB_DIR'], ['CORELO_TRUST_UPLOAD', 'CORELO_TRUST_UPLOADS'], ['CORELO_UPSTRAEM', 'CORELO_UPSTREAM']
  ])('%s is taken for a misspelt %s', (name, meant) => {
    expect(findMisspelt({ [name]: 'x', PATH: '/bin' })).toEqual([{ name, meant }])
  })

  it.each([
    ...VARIABLES, 'CORELO_SERVICE_HOST', 'CORELO_SERVICE_PORT', 'CORELO_SERVICE_PORT_HTTP', 'CORELO_PORT_8080_TCP',
    'CORELO_PORT_8080_TCP_ADDR', 'CORELO_SOMETHING_OF_ANOTHER_PROGRAM', 'CORELLO', 'PATH'
  ])('%s is not', name => {
    expect(findMisspelt({ [name]: 'x' })).toEqual([])
  })
})

import { describe, expect, it } from 'vitest'
import { meantDistro } from '../../../src/identity/distro-spelling.js'

describe('the name of a distribution', () => {
  it.each([
    ['Debian', 'debian'], ['UBUNTU', 'ubuntu'], ['RedHat', 'rhel'], ['oracle-linux', 'ol'], ['Amazon_Linux', 'amzn'], ['SLES', 'sles']
  ])('%s means %s', (name, id) => {
    expect(meantDistro(name)).toBe(id)
  })

  it.each(['debian', 'openEuler', 'openeuler', 'sles_sap', 'opensuse-leap', 'a-distribution-of-ones-own'])('%s may be an ID', name => {
    expect(meantDistro(name)).toBeUndefined()
  })
})

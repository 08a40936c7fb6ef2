// A process of a container: its id is 7, as in every other one. Writes the files of a folder, again and again, when it is told to.
import { join } from 'node:path'

Object.defineProperty(process, 'pid', { value: 7 })
const [directory, letter] = process.argv.slice(2)
const { writeDurably } = await import('../../../dist/store/atomic-file.js')

process.once('message', async () => {
  const failures = []
  for (let i = 0; i < 40; i++) {
    await writeDurably(join(directory, `${i % 4}`), letter.repeat(400_000)).catch(error => failures.push(String(error)))
  }
  process.send(failures, () => process.disconnect())
})
process.send('ready')

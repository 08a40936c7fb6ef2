import { bulkhead } from 'cockatiel'

/** Tasks of one request that wait for a worker or have one. A kernel's hundreds of modules must not fill the queue of all. */
const AT_ONCE = 4

/** What `work` gives for each item, in their order; a few at a time. Rejects with the first failure, and begins no other item then. */
export async function mapInTurn<Item, Value> (items: readonly Item[], work: (item: Item) => Promise<Value>): Promise<Value[]> {
  const places = bulkhead(AT_ONCE, Infinity)
  let hasFailed = false
  return await Promise.all(items.map(item => places.execute(async () => {
    if (hasFailed) throw new Error('another item failed') // of no effect: Promise.all has rejected
    try {
      return await work(item)
    } catch (error) {
      hasFailed = true
      throw error
    }
  })))
}

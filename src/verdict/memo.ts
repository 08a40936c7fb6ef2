import type { Age } from './age.js'
import { mix, type SharedBounds } from './bounds.js'

/** Results that are kept; a power of two. A program works out some hundred that differ. */
const PLACES = 4096

interface Kept<Result> {
  readonly age: Age
  readonly operation: number
  readonly a: SharedBounds
  readonly b: SharedBounds
  readonly result: Result
}

/** A function of two numbers' bounds, by the rules of a verifier's age. `operation` tells apart what else it depends on. */
export type Calculation<Result> = (age: Age, operation: number, a: SharedBounds, b: SharedBounds) => Result

/**
 * Keeps the results of a pure function in a table of fixed size, in which later ones take the places of earlier ones: programs
 * do the same to the same few numbers over and over.
 */
export function keepResults<Result> (calculate: Calculation<Result>): Calculation<Result> {
  const table: Array<Kept<Result> | undefined> = new Array<undefined>(PLACES).fill(undefined)
  return (age, operation, a, b) => {
    const place = mix(mix(a.hash, b.hash), operation) & (PLACES - 1)
    const kept = table[place]
    if (kept?.a === a && kept.b === b && kept.operation === operation && kept.age === age) return kept.result
    const result = calculate(age, operation, a, b)
    table[place] = { age, operation, a, b, result }
    return result
  }
}

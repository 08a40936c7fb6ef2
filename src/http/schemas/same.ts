/** `true` where a schema of the document and a type of src/wire have the same members: `true satisfies Same<Static<typeof S>, T>`. */
export type Same<Documented, Written> = Equal<Mutable<Documented>, Mutable<Written>>

type Equal<A, B> = [A] extends [B] ? [B] extends [A] ? true : never : never
type Mutable<T> = T extends ReadonlyArray<infer Item>
  ? Array<Mutable<Item>>
  : T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T

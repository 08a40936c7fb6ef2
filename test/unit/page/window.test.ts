import { describe, expect, it } from 'vitest'
import { rangeOf, rowsWith, scrollTo } from '../../../page/model/window.js'

describe('the rows that are drawn of a long list', () => {
  it('are those that are seen and a few around them, however many there are', () => {
    expect(rangeOf(50_000, { rowHeight: 36, top: 36_000, height: 720 })).toEqual({ first: 992, end: 1028 })
    expect(rangeOf(50_000, { rowHeight: 36, top: 0, height: 720 })).toEqual({ first: 0, end: 28 })
    expect(rangeOf(10, { rowHeight: 36, top: 0, height: 720 })).toEqual({ first: 0, end: 10 })
  })

  it('are none of a list that has none, or became shorter than where it was scrolled to', () => {
    expect(rangeOf(0, { rowHeight: 36, top: 0, height: 720 })).toEqual({ first: 0, end: 0 })
    expect(rangeOf(5, { rowHeight: 36, top: 3600, height: 720 })).toEqual({ first: 5, end: 5 })
    expect(rangeOf(5, { rowHeight: 0, top: 0, height: 720 })).toEqual({ first: 0, end: 0 })
  })

  it('have the row that the keyboard is at among them, wherever it is', () => {
    expect([rowsWith(3, 6, 4, 9), rowsWith(3, 6, 1, 9), rowsWith(3, 6, 8, 9)]).toEqual([[3, 4, 5], [1, 3, 4, 5], [3, 4, 5, 8]])
    expect(rowsWith(0, 0, 0, 0)).toEqual([])
  })

  it('are scrolled just as far as a row needs', () => {
    const seen = { rowHeight: 10, top: 100, height: 50 }
    expect([scrollTo(12, seen), scrollTo(3, seen), scrollTo(20, seen)]).toEqual([100, 30, 160])
  })
})

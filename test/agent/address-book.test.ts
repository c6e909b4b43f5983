import { AddressBook, formatAddress, parseAddress } from '../../src/agent/address-book.js'

const at = (text: string) => parseAddress(text)!
const tried = (book: AddressBook, count: number) => Array.from({ length: count }, () => formatAddress(book.next()))

describe('the addresses of an agent', () => {
  it('are tried in turn: the configured ones, then those that were learned', () => {
    const book = new AddressBook([at('a:1'), at('b:1')], ['c:1'])
    expect(tried(book, 4)).toEqual(['a:1', 'b:1', 'c:1', 'a:1'])
  })

  it('start behind the one that was left, with those of the last welcome before older ones', () => {
    const book = new AddressBook([at('a:1')], ['old:1', 'old:2'])
    expect(tried(book, 1)).toEqual(['a:1'])
    book.learn(['b:1', 'a:1', 'c:1'])
    expect(tried(book, 5)).toEqual(['b:1', 'c:1', 'a:1', 'old:1', 'old:2'])
    expect(tried(book, 1)).toEqual(['a:1'])
  })

  it('do not come to the old ones while each session has found one of the others', () => {
    const book = new AddressBook([at('a:1')], ['old:1'])
    for (let session = 0; session < 6; session += 1) {
      expect(tried(book, 1)).toEqual([session % 2 === 0 ? 'a:1' : 'b:1'])
      book.learn(['a:1', 'b:1'])
    }
  })

  it('lose a learned one that failed and that the last welcome did not name, and no other', () => {
    const book = new AddressBook([at('a:1')], ['old:1'])
    book.learn(['b:1'])
    book.learn(['c:1'])
    expect(['a:1', 'c:1'].map((address) => book.failed(at(address)))).toEqual([false, false])
    expect(['old:1', 'b:1', 'old:1'].map((address) => book.failed(at(address)))).toEqual([true, true, false])
    expect(book.learned).toEqual(['c:1'])
    expect(tried(book, 3)).toEqual(['a:1', 'c:1', 'a:1'])
  })

  it('are all kept until a welcome says which are in use', () => {
    const book = new AddressBook([at('a:1')], ['old:1'])
    expect(book.failed(at('old:1'))).toBe(false)
    book.learn([])
    expect(book.failed(at('old:1'))).toBe(false)
    expect(book.learned).toEqual(['old:1'])
  })
})

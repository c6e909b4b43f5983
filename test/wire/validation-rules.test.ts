import 'reflect-metadata'
import { getMetadataStorage, IsInt, IsString, MaxLength, validateSync } from 'class-validator'
import '../../src/wire/validation-rules.js'

class Named {
  @IsString()
  @MaxLength(3)
  name: unknown
}

class Aged extends Named {
  @IsInt({ groups: ['old'] })
  age: unknown
}

const faultsOf = (thing: object, options = {}) => validateSync(thing, options).map(({ property }) => property)
const aged = (name: unknown, age: unknown) => Object.assign(new Aged(), { name, age })

describe('the rules of a class', () => {
  it('are gathered once', () => {
    const storage = getMetadataStorage()
    const rules = () => storage.getTargetValidationMetadatas(Named, '', false, false)
    expect(rules()).toBe(rules())
    expect(rules()).toHaveLength(2)
  })

  it('are those of its parents too, each time', () => {
    for (const _ of [1, 2]) {
      expect(faultsOf(aged('kim', 5))).toEqual([])
      expect(faultsOf(aged('much too long', 5))).toEqual(['name'])
    }
  })

  it('are chosen by groups as before', () => {
    for (const _ of [1, 2]) {
      expect(faultsOf(aged(7, 'x'), { groups: ['old'] })).toEqual(['age'])
      expect(faultsOf(aged(7, 'x'), { strictGroups: true })).toEqual(['name'])
      expect(faultsOf(aged(7, 'x'))).toEqual(['age', 'name'])
    }
  })

  it('count when they are declared later', () => {
    class Late {
      name: unknown = 7
    }
    IsInt()(Late.prototype, 'name')
    expect(faultsOf(new Late())).toEqual([])
    IsString()(Late.prototype, 'name')
    expect(faultsOf(new Late())).toEqual(['name'])
  })
})

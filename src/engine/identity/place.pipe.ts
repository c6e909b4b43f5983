import { Injectable, type PipeTransform } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { Invalid } from '../platform/errors.js'

const PLANE = 'plane'

/** Where a role is good: null is the whole plane. */
@Injectable()
export class PlacePipe implements PipeTransform<string, string | null> {
  transform(value: string): string | null {
    if (value === PLANE) return null
    if (isUUID(value)) return value.toLowerCase()
    const message = `must be '${PLANE}', or the id of a project`
    throw new Invalid(`the place of a role ${message}`, [{ field: 'place', message }])
  }
}

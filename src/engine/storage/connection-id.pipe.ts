import { Injectable, type PipeTransform } from '@nestjs/common'
import { CONNECTION_ID } from '../../wire/storage/connection-id.js'
import { badId } from './connection-errors.js'

/** S8: any string without '/', not '.' or '..', without control characters, up to 255 characters. */
@Injectable()
export class ConnectionIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (CONNECTION_ID.test(value)) return value
    throw badId("must have 1 to 255 characters without '/' and control characters, and not be '.' or '..'")
  }
}

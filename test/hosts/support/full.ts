import { scaled } from '../../trial/support/scale.js'

/** A test that takes minutes beside others that show the same in short: at full counts alone (`npm run trial -- hosts/…`). */
export const itInFull: jest.It = scaled<jest.It>(it, it.skip)

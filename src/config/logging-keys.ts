import { type LogFormat, type LogLevel, logFormats, logLevels } from '../log/levels.js'
import type { Keys } from './key.js'
import { oneOf } from './parsers.js'

export const loggingKeys: Keys<{ readonly logLevel: LogLevel; readonly logFormat: LogFormat }> = {
  logLevel: {
    ...oneOf(logLevels),
    env: 'KEELSON_LOG_LEVEL',
    meaning: 'Least severity that is logged',
    fallback: () => 'info',
  },
  logFormat: {
    ...oneOf(logFormats),
    env: 'KEELSON_LOG_FORMAT',
    meaning: 'Form of the log; auto: pretty on a terminal, else json',
    fallback: () => 'auto',
  },
}

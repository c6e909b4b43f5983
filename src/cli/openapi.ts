import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'

export function openapiCommand(parent: Command): void {
  parent
    .command('openapi')
    .description('print the OpenAPI document of the REST interface')
    .option('--out <file>', 'write it to a file instead')
    .action(async ({ out }: { out?: string }) => {
      const { buildOpenApiDocument } = await import('../engine/openapi-document.js')
      const text = `${JSON.stringify(await buildOpenApiDocument(), null, 2)}\n`
      if (out) await writeFile(out, text)
      else process.stdout.write(text)
    })
}

# The engine, and whatever else `keelson` can do. An agent needs its host's mounts and is better installed there: see
# deploy/systemd. The steps are tried without a Docker engine by scripts/replay-dockerfile.mjs, which knows what is used here.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY nest-cli.json tsconfig.json tsconfig.build.json ormconfig.ts ./
COPY src ./src
RUN npx nest build && npm prune --omit=dev

FROM node:24-bookworm-slim
# room for what the requests of a moment need: they are collected half as often, and survive less
ENV NODE_OPTIONS=--max-semi-space-size=32 NODE_ENV=production KEELSON_HTTP=0.0.0.0:8080 KEELSON_TCP=0.0.0.0:8081 KEELSON_DATA_DIR=/var/lib/keelson
WORKDIR /app
COPY package.json openapi.json LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN chmod 755 dist/src/main.js \
  && ln -s /app/dist/src/main.js /usr/local/bin/keelson \
  && install -d -o node -g node -m 0700 /var/lib/keelson
# uid 1000 of the base image; the embedded Postgres wants an account that has a name
USER node
# only written without DATABASE_URL
VOLUME /var/lib/keelson
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# with TLS, as on every address but the loopback, or without; whose certificate it is does not matter to a look from inside
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["node", "-e", "const ask = (by) => new Promise((done) => require(by).get({ host: '127.0.0.1', port: process.env.KEELSON_HTTP.split(':').pop(), path: '/health/ready', rejectUnauthorized: false }, (r) => done(r.statusCode === 200)).on('error', () => done(false))); ask('node:https').then((ok) => ok || ask('node:http')).then((ok) => process.exit(ok ? 0 : 1))"]
CMD ["keelson", "engine"]

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
ENV NODE_ENV=production KEELSON_HTTP=0.0.0.0:8080 KEELSON_TCP=0.0.0.0:8081 KEELSON_DATA_DIR=/var/lib/keelson
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
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.KEELSON_HTTP.split(':').pop()}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["keelson", "engine"]

# syntax=docker/dockerfile:1
FROM node:24-slim AS build
WORKDIR /app
# The workspaces hold Postgres for the tests: they are left out.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim
LABEL org.opencontainers.image.title="outbox-relay" \
      org.opencontainers.image.description="Relay a Postgres outbox table to Kafka or RabbitMQ" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    OUTBOX_RELAY_CONFIG=/etc/outbox-relay/config.yaml
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY sql sql
COPY config config
RUN chmod +x dist/main.js && ln -s /app/dist/main.js /usr/local/bin/outbox-relay
USER node
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["outbox-relay", "status"]
ENTRYPOINT ["outbox-relay"]
CMD ["run", "--config", "/etc/outbox-relay/config.yaml"]

# syntax=docker/dockerfile:1
#
# Stages that need a shell, npm and the registry, and a last one that has none of them: Node, its C libraries, the relay
# and what package-lock.json names. Nothing is run to make the last one, so any platform's is built on any other.
# To build the same bytes again, name both images by digest:
#   docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:... --build-arg BASE_IMAGE=...@sha256:... .
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${NODE_IMAGE} AS node

FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS build
WORKDIR /app
# The workspaces hold Postgres for the tests: they are left out.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false --ignore-scripts
COPY tsconfig.json tsconfig.build.json tsconfig.types.json ./
COPY src src
# The last stage has no /usr/bin/env, and nothing that could make a link.
RUN npm run build && \
    sed -i '1s|.*|#!/usr/local/bin/node|' dist/main.js && \
    chmod 0755 dist/main.js && \
    mkdir bin && \
    ln -s /app/dist/main.js bin/outbox-relay

FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS dependencies
ARG TARGETARCH
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# One optional dependency is compiled: it must be that of the platform which the image is for. Half of all is for
# compilers and debuggers only.
RUN case "${TARGETARCH}" in amd64) cpu=x64 ;; *) cpu="${TARGETARCH}" ;; esac && \
    npm ci --workspaces=false --omit=dev --ignore-scripts --os=linux --libc=glibc --cpu="${cpu}" && \
    find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${BASE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="outbox-relay" \
      org.opencontainers.image.description="Relay a Postgres outbox table to Kafka or RabbitMQ" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
    OUTBOX_RELAY_CONFIG=/etc/outbox-relay/config.yaml
WORKDIR /app
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/bin /usr/local/bin/
COPY package.json LICENSE ./
COPY sql sql
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["/usr/local/bin/outbox-relay", "status"]
ENTRYPOINT ["/usr/local/bin/outbox-relay"]
CMD ["run"]

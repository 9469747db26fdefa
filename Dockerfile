# Two images: `--target coordinator` and `--target agent`.
FROM node:20-bookworm AS dependencies
WORKDIR /opt/distrofarm
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20-bookworm AS build
WORKDIR /opt/distrofarm
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY apps apps
COPY libs libs
COPY scripts/bundle-programs.js scripts/
RUN npm run build

FROM node:20-bookworm-slim AS programs
WORKDIR /opt/distrofarm
ENV NODE_ENV=production PATH=/opt/distrofarm/bin:$PATH
COPY --from=dependencies /opt/distrofarm/node_modules node_modules
COPY --from=build /opt/distrofarm/dist dist
COPY package.json ./
COPY bin bin
COPY deploy deploy

FROM programs AS coordinator
# Here, so that a new volume belongs to the coordinator's user.
RUN install -d -o node -g node -m 0700 /var/lib/distrofarm-coordinator
VOLUME /var/lib/distrofarm-coordinator
EXPOSE 7455
ENTRYPOINT ["deploy/coordinator-entry.sh"]

FROM programs AS agent
COPY scripts/setup.sh scripts/
RUN apt-get update -q \
  && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ca-certificates $(scripts/setup.sh packages) \
  && rm -rf /var/lib/apt/lists/*
COPY finalizers finalizers
VOLUME /var/lib/distrofarm-agent /var/cache/distrofarm
ENTRYPOINT ["deploy/agent-entry.sh"]

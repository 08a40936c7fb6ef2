# The image of the service (the default target) and of the node agent (--target agent): Node, the compiled project and its packages.
#
#     docker build -t corelo .
#     docker build -t corelo-agent --target agent .
#
# Both are built from scratch out of files of one base, so that neither has a shell or a package manager. Another base does,
# provided it is Debian's with node and npm on its path: --build-arg BASE=…
ARG BASE=docker.io/library/node:24.21.0-trixie-slim

# What the compiler makes of the sources.
FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.base.json tsconfig.engine.json tsconfig.app.json ./
COPY types types
COPY scripts/build-page.mjs scripts/build-bundle.mjs scripts/made-folder.mjs scripts/
COPY src src
COPY page page
RUN npm run build

# The packages that run needs, without their documentation, types and maps.
FROM ${BASE} AS modules
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f '(' -name '*.map' -o -name '*.ts' -o -name '*.md' ! -iname 'licen[sc]e*' ')' -delete

# Node and the libraries it is linked with.
FROM ${BASE} AS service-root
COPY deploy/image/rootfs.sh /usr/local/sbin/
RUN rootfs.sh /rootfs /usr/local/bin/node && install -d -o 10001 -g 10001 /rootfs/cache

# The same, and bpftool, which loads and pins for an agent that is asked to.
FROM ${BASE} AS agent-root
COPY deploy/image/rootfs.sh /usr/local/sbin/
RUN apt-get update && apt-get install -y --no-install-recommends bpftool && rm -rf /var/lib/apt/lists/*
RUN rootfs.sh /rootfs /usr/local/bin/node /usr/sbin/bpftool

FROM scratch AS common
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="corelo" \
  org.opencontainers.image.description="Relocates eBPF CO-RE objects for a named kernel" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production PATH=/usr/local/bin:/usr/sbin
WORKDIR /app
COPY package.json LICENSE NOTICE ./
COPY --from=modules /build/node_modules node_modules
COPY --from=build /build/dist/bundle dist/bundle
COPY --from=build /build/dist/page dist/page
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/bundle/main.js"]

FROM common AS agent
COPY --from=agent-root /rootfs /
ENV CORELO_AGENT_HOST=0.0.0.0 CORELO_AGENT_PORT=8081
EXPOSE 8081
# Root, because a node's state directory and bpffs are root's; the manifests take all capabilities away but those that loading needs.
USER 0:0
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["/usr/local/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.CORELO_AGENT_PORT}/livez`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["agent"]

FROM common AS service
COPY --from=service-root /rootfs /
# CORELO_AUTH is left unset on purpose: the service then refuses to listen for others until somebody says who may call.
# The running kernel is that of whatever node the container is on, and the image knows no distribution for it, so it answers for none.
ENV CORELO_HOST=0.0.0.0 CORELO_PORT=8080 CORELO_CACHE_DIR=/cache CORELO_LOCAL_KERNEL=false
VOLUME ["/cache"]
EXPOSE 8080
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["/usr/local/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.CORELO_PORT}/livez`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["serve"]

# One small image with the broker.
#
#   docker build -t milena .                      builds from source; wants a network
#   buildah bud --isolation chroot --pull-never --build-arg BINARIES=prebuilt --build-arg BASE=IMAGE .
#                                                 takes binaries that lie in ./prebuilt; wants none (ci/image does it)
#
# BASE needs glibc of the build image or newer; libgcc is brought along.
ARG BUILD_BASE=rust:1.95-bookworm
ARG BASE=busybox:1.37-glibc
ARG BINARIES=build

FROM ${BUILD_BASE} AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY core core
COPY broker broker
COPY xtask xtask
RUN cargo build --release --locked --package milena-broker \
 && mkdir -p /out/usr/local/bin /out/usr/lib \
 && strip -o /out/usr/local/bin/milena-broker target/release/milena-broker \
 && cp "$(gcc -print-file-name=libgcc_s.so.1)" /out/usr/lib/
WORKDIR /empty

FROM scratch AS prebuilt
COPY prebuilt/ /out/usr/local/bin/
WORKDIR /empty

FROM ${BINARIES} AS binaries

FROM ${BASE}
COPY --from=binaries /out/ /
COPY examples/container/server.properties /etc/milena/server.properties
COPY --from=binaries --chown=65532:65532 /empty /var/lib/milena
# A number, so that a cluster can check that it is not root's.
USER 65532:65532
WORKDIR /var/lib/milena
VOLUME /var/lib/milena
# Clients, and HTTP for metrics and probes.
EXPOSE 9092 9404
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/milena-broker"]
CMD ["serve", "--config", "/etc/milena/server.properties"]

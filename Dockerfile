# The web page is committed in inspector/ui/dist, so a Go stage is enough.
FROM golang:1.26 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/hookrange . \
 && mkdir -p /out/data

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Hookrange" \
      org.opencontainers.image.description="A self-hosted proving ground for webhooks" \
      org.opencontainers.image.source="https://github.com/hookrange/hookrange" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# For the presigned URLs that the resolver fetches over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/hookrange /hookrange
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
ENV HOOKRANGE_DATA=/data
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/hookrange", "healthcheck"]
ENTRYPOINT ["/hookrange"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--inspect", "0.0.0.0:8081", "--data", "/data"]

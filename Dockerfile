# The command in an image of its own:
#
#   docker build -t checkpoint .
#   docker run --rm -e CHECKPOINT_STORE=postgres://… checkpoint list
#
# A store in a file: mount its folder, not the file, for SQLite keeps a log beside it.
#
#   docker run --rm -v "$PWD/data:/data" --user "$(id -u)" checkpoint list --store sqlite:/data/agents.db
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /checkpoint ./cmd/checkpoint

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /checkpoint /usr/bin/checkpoint
WORKDIR /data
ENTRYPOINT ["/usr/bin/checkpoint"]

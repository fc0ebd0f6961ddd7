package dynamodb

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// connect makes a client from the environment and the shared files; it sends
// nothing. b.mu is held.
func (b *backend) connect(ctx context.Context) (*dynamodb.Client, error) {
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // it speaks in errors alone
	if region := b.cfg.region(); region != "" {
		options = append(options, config.WithRegion(region))
	}
	if b.cfg.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(b.cfg.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, loadError(err)
	}
	if loaded.Region == "" {
		if b.cfg.Endpoint == "" || ofAWS(b.cfg.Endpoint) {
			return nil, fmt.Errorf("%w: no AWS region is configured; give the word region, or set AWS_REGION", driver.ErrInvalid)
		}
		loaded.Region = "us-east-1" // an endpoint of one's own asks for none, signing does
	}
	return dynamodb.NewFromConfig(loaded, func(o *dynamodb.Options) {
		if b.cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(b.cfg.Endpoint)
		}
		if built, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			// The same transport, in hands that can close its connections.
			b.transport = built.GetTransport()
			b.transport.MaxIdleConnsPerHost = b.cfg.connections()
			b.transport.MaxIdleConns = b.cfg.connections()
			o.HTTPClient = &http.Client{Transport: b.transport, CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			}}
		}
	}), nil
}

// use remembers a client, as one that lets the queue know of answers as they come. b.mu
// is held, or the backend is new.
func (b *backend) use(client *dynamodb.Client) {
	b.client = dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.HTTPClient = &watched{o.HTTPClient, b.queue}
	})
	b.credentials, _ = client.Options().Credentials.(*aws.CredentialsCache)
}

// A watched client tells the queue of each piece of an answer: over a slow line a large
// one is no silence.
type watched struct {
	dynamodb.HTTPClient
	queue *backends.Queue
}

func (w *watched) Do(req *http.Request) (*http.Response, error) {
	resp, err := w.HTTPClient.Do(req)
	if err == nil {
		resp.Body = &watchedBody{resp.Body, w.queue}
	}
	return resp, err
}

type watchedBody struct {
	io.ReadCloser
	queue *backends.Queue
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.queue.Answered()
	}
	return n, err
}

// release is called once, when the backend is closed and nothing is under way.
func (b *backend) release() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.transport != nil {
		b.transport.CloseIdleConnections()
	}
	return nil
}

// Lambda has the shape of a function of AWS Lambda that keeps its conversations in
// DynamoDB: the store is opened once for each instance, outside the handler, does no
// I/O then, and serves every invocation that the instance gets.
//
// The function's main would be lambda.Start(h.Handle), with
// github.com/aws/aws-lambda-go; this one reads an event from its standard input, so
// that it runs anywhere:
//
//	echo '{"conversation":"c1","request":"r1","text":"hello"}' |
//		go run ./examples/lambda -dsn 'agent-checkpoints?endpoint=http://localhost:8000&region=eu-central-1&create_table=true'
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
)

// Event is what invokes the function, from a queue for example: it may come twice.
type Event struct {
	Conversation string `json:"conversation"`
	Request      string `json:"request"` // unique to the event: 1 to 64 of A-Z a-z 0-9 . _ ~ -
	Text         string `json:"text"`
}

// Reply is what the function returns.
type Reply struct {
	Text    string `json:"text"`
	Version int64  `json:"version"`
}

// State is the conversation.
type State struct {
	Messages []string `json:"messages"`
	Reply    string   `json:"reply"`
}

// Handler is the function. Model answers a conversation.
type Handler struct {
	Store *checkpoint.Store
	Model func(ctx context.Context, messages []string) (string, error)
}

// Handle answers an event. One that comes again, because its answer was lost, gets
// the answer that it got, and the model is not asked again, as long as the history
// has it: the store keeps 20 versions for that.
func (h *Handler) Handle(ctx context.Context, e Event) (Reply, error) {
	if done, err := h.Store.Find(ctx, e.Conversation, e.Request); err == nil {
		var state State
		info, err := h.Store.LoadVersion(ctx, e.Conversation, done.Version, &state)
		return Reply{state.Reply, info.Version}, err
	} else if !errors.Is(err, checkpoint.ErrNotFound) {
		return Reply{}, err
	}
	for {
		state, info, err := checkpoint.Get[State](ctx, h.Store, e.Conversation)
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			return Reply{}, err // the queue delivers the event again
		}
		state.Messages = append(state.Messages, e.Text)
		if state.Reply, err = h.Model(ctx, state.Messages); err != nil {
			return Reply{}, err
		}
		state.Messages = append(state.Messages, state.Reply)
		saved, err := h.Store.Save(ctx, e.Conversation, state, checkpoint.IfVersion(info.Version), checkpoint.WithID(e.Request))
		if errors.Is(err, checkpoint.ErrConflict) {
			continue // another event of this conversation came first: answer what it says now
		}
		return Reply{state.Reply, saved.Version}, err
	}
}

func main() {
	dsn := flag.String("dsn", "agent-checkpoints", "the table, with its words")
	flag.Parse()
	store, err := checkpoint.Open("dynamodb", *dsn, checkpoint.WithHistory(20))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	h := &Handler{store, func(_ context.Context, messages []string) (string, error) {
		return fmt.Sprintf("I have read %d messages.", len(messages)), nil
	}}
	var e Event
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		log.Fatal(err)
	}
	reply, err := h.Handle(context.Background(), e)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		log.Fatal(err)
	}
}

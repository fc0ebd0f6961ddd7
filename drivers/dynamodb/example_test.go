package dynamodb_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
)

func Example() {
	store, err := checkpoint.Open("dynamodb", "agent-checkpoints?region=eu-central-1&ttl=720h")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	info, err := store.Save(context.Background(), "user-123", map[string]int{"step": 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Thread, info.Version)
}

// A program that has a client gives it to the store.
func ExampleNew() {
	ctx := context.Background()
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion("eu-central-1"))
	if err != nil {
		log.Fatal(err)
	}
	client := awsdynamodb.NewFromConfig(sdk)
	store := checkpoint.New(dynamodb.New(client, dynamodb.Config{Table: "agent-checkpoints"}))
	defer store.Close()
	if err := store.Ping(ctx); err != nil {
		log.Fatal(err)
	}
}

func ExampleParseConfig() {
	cfg, err := dynamodb.ParseConfig("dynamodb://agent-checkpoints?region=eu-central-1&create_table=true")
	fmt.Println(cfg.Table, cfg.Region, cfg.CreateTable, err)
	// Output: agent-checkpoints eu-central-1 true <nil>
}

package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
)

func Example() {
	store, err := checkpoint.Open("postgres", "postgres://agents@localhost/agents?sslmode=verify-full&history=20")
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

// A program that has a pool gives it to the store, and closes it afterwards.
func ExampleNew() {
	db, err := sql.Open("postgres", "postgres://agents@localhost/agents?binary_parameters=yes")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := checkpoint.New(postgres.New(db, postgres.Config{Table: "app.checkpoints"}), checkpoint.WithHistory(20))
	defer store.Close()
	if err := store.Ping(context.Background()); err != nil {
		log.Fatal(err)
	}
}

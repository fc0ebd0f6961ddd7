package dynamodb

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestReaderOfMissingItems: what is missing is damage if the head has stayed the
// same, and a thread in motion if it has not.
func TestReaderOfMissingItems(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	for range 3 {
		mustSave(t, direct, request("t", "x", 3))
	}
	head := mustHead(t, inside(t, direct), "t")
	lose := func(key string) {
		_, err := bare(t).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(direct.(*backend).cfg.Table), Key: keyOf(key)})
		if err != nil {
			t.Error(err)
		}
	}
	lose(versionKey(head.life, 2))
	read := driver.LoadRequest{Key: head.Key, Version: 2, Now: testNow}
	before := proxy.Counts()
	if _, err := b.Load(t.Context(), read); !errors.Is(err, driver.ErrCorrupt) {
		t.Errorf("Load = %v, want ErrCorrupt", err)
	}
	if n := proxy.Counts().Sub(before).RoundTrips; n > 4 {
		t.Errorf("Load sent %d requests, want the head and the version twice", n)
	}
	for _, err := range b.History(t.Context(), driver.HistoryRequest{Key: head.Key, Now: testNow}) {
		if err != nil && !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("History = %v, want ErrCorrupt", err)
		}
	}

	// A payload in parts that is replaced whenever the reader asks for them.
	large := string(bytes.Repeat([]byte("x"), 400<<10))
	mustSave(t, direct, request("large", large, 1))
	var overwrites atomic.Int32
	moving := openTable(t, direct.(*backend).cfg.Table, overtaken(t, func() {
		overwrites.Add(1)
		mustSave(t, direct, request("large", large, 1))
	}), "")
	if _, err := loadThread(t.Context(), moving, "large"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Load of a thread in motion = %v after %d saves, want ErrUnavailable", err, overwrites.Load())
	}
}
